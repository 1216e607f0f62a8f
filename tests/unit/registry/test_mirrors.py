"""Reading from mirrors first, writing never to them; and by which scheme and certificates hosts are spoken to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.errors import ConfigError, IntegrityError, NetworkError
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image
from shipwheel.oci.reference import Reference
from shipwheel.registry.registries import Access, Registries
from support.registry import Fault, Served, registry
from support.trees import image

from .conftest import FAST, Connect


@pytest.fixture
def mirror() -> Iterator[Served]:
    with registry() as running:
        yield running


def _pull(connect: Connect, served: Served, *mirrors: str) -> Image:
    found = connect(mirrors={served.host: mirrors}).resolve("1.0")
    assert isinstance(found, Image)
    for blob in found.blobs:
        list(blob.chunks())
    return found


@pytest.fixture
def given(served: Served, connect: Connect) -> Image:
    given = image("a")
    copy(given, connect(), "1.0")
    served.forget_log()
    return given


def test_a_mirror_is_read_from_and_the_registry_is_not_asked(
    served: Served, mirror: Served, connect: Connect, given: Image
) -> None:
    mirror.blobs, mirror.manifests = served.blobs, served.manifests
    assert _pull(connect, served, mirror.host).manifest.digest == given.manifest.digest
    assert not served.log


def test_what_a_mirror_lacks_comes_from_the_registry(served: Served, mirror: Served, connect: Connect, given: Image) -> None:
    mirror.manifests = served.manifests
    _pull(connect, served, mirror.host)
    assert all("/blobs/" in each for each in served.said())
    assert len(mirror.log) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_mirror_that_refuses_is_not_waited_for(
    served: Served, mirror: Served, connect: Connect, given: Image, status: int
) -> None:
    mirror.faults = [Fault(path="/v2/.", status=status, times=99, headers={"Retry-After": "60"})]
    assert _pull(connect, served, mirror.host).manifest.digest == given.manifest.digest


def test_a_mirror_that_is_down_is_asked_once(served: Served, connect: Connect, given: Image) -> None:
    assert _pull(connect, served, "http://127.0.0.1:9").manifest.digest == given.manifest.digest


def test_a_mirror_that_lies_or_breaks_does_no_harm(served: Served, mirror: Served, connect: Connect, given: Image) -> None:
    mirror.blobs, mirror.manifests = served.blobs, served.manifests
    mirror.faults = [Fault(path="/manifests/", body=b"{}"), Fault(path="/blobs/", cut=10)]
    assert _pull(connect, served, mirror.host).manifest.digest == given.manifest.digest
    assert len(served.log) == 2


def test_writes_go_past_mirrors(served: Served, mirror: Served, connect: Connect) -> None:
    repository = connect(mirrors={served.host: (mirror.host,)})
    repository.expect("1.0")
    copy(image("a"), repository, "1.0")
    assert not mirror.log


def test_docker_hub_is_read_through_its_mirror(mirror: Served) -> None:
    copy_of = image("a")
    with Registries(Access(limits=FAST, mirrors={"docker.io": (f"http://{mirror.host}",)})) as registries:
        copy(copy_of, registries.repository(Reference.parse(f"{mirror.host}/library/python")), "3.12-slim")
        hub = registries.repository(Reference.parse("python:3.12-slim"))
        assert hub.origin == "docker.io/library/python"
        found = hub.resolve("3.12-slim")
        assert found.manifest.digest == copy_of.manifest.digest
        assert isinstance(found, Image)
        assert found.layers[0].blob.origins == ("docker.io/library/python",)


def test_a_mirror_of_several_registries_has_a_path_for_each(mirror: Served) -> None:
    copy_of = image("a")
    with Registries(Access(limits=FAST, mirrors={"docker.io": (f"{mirror.host}/hub",)})) as registries:
        copy(copy_of, registries.repository(Reference.parse(f"{mirror.host}/hub/library/python")), "3")
        hub = registries.repository(Reference.parse("python:3"))
        found = hub.resolve("3")
        assert isinstance(found, Image)
        assert found.layers[0].blob.read() == copy_of.layers[0].blob.read()
        assert found.layers[0].blob.origins == ("docker.io/library/python",)


def test_a_host_that_is_not_loopback_is_never_spoken_to_without_tls(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipwheel.registry.registries._is_loopback", lambda host: False)
    with Registries(Access(limits=FAST)) as registries, pytest.raises(NetworkError, match="https://") as caught:
        registries.repository(Reference.parse(f"{served.host}/app")).resolve("1.0")
    assert not served.log
    assert f"SHIPWHEEL_INSECURE_REGISTRIES={served.host}" in caught.value.hint
    with Registries(Access(limits=FAST, insecure=frozenset({served.host}))) as registries:
        copy(image("a"), registries.repository(Reference.parse(f"{served.host}/app")), "1.0")


def test_loopback_is_reached_past_proxies(served: Served, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    copy(image("a"), connect(), "1.0")


def test_other_hosts_are_reached_through_proxies(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", f"http://{served.host}")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    access = Access(limits=FAST, insecure=frozenset({"registry.example:5000"}))
    with Registries(access) as registries:
        assert registries.repository(Reference.parse("registry.example:5000/app")).manifest("1.0") is None
    assert served.said() == ["GET http://registry.example:5000/v2/app/manifests/1.0 404"]


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("localhost:5000", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.1.2.3:80", True),
        ("[::1]:5000", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("128.0.0.1", False),
        ("ghcr.io", False),
    ],
)
def test_loopback(host: str, plain: bool) -> None:
    from shipwheel.registry.registries import _is_loopback

    assert _is_loopback(host) is plain


class TestTls:
    """A registry behind a certificate of its own."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Path:
        return _certificate(tmp_path)

    def test_a_certificate_in_the_hosts_folder_is_trusted(self, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shipwheel.registry.registries._is_loopback", lambda host: False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority / "own.crt", authority / "own.key")
        with registry(Served(tls=context, absolute=True)) as served:  # its locations say http, as behind a proxy
            reference = Reference.parse(f"{served.host}/app")
            with (
                Registries(Access(limits=FAST)) as registries,
                pytest.raises(NetworkError, match="CERTIFICATE_VERIFY") as caught,
            ):
                registries.repository(reference).resolve("1.0")
            assert f"certs.d/{served.host}/ca.crt" in caught.value.hint
            folder = authority / "certs.d" / served.host
            folder.mkdir(parents=True)
            (folder / "ca.crt").write_bytes((authority / "own.crt").read_bytes())
            with Registries(Access(limits=FAST, certificates=(authority / "certs.d",))) as registries:
                copy(image("a"), registries.repository(reference), "1.0")
                assert registries.repository(reference).resolve("1.0")
            with Registries(Access(limits=FAST, insecure=frozenset({served.host}))) as registries:
                assert registries.repository(reference).resolve("1.0")
            (folder / "client.cert").write_bytes(b"broken")
            with (
                Registries(Access(limits=FAST, certificates=(authority / "certs.d",))) as registries,
                pytest.raises(ConfigError, match=r"client\.cert cannot be used"),
            ):
                registries.repository(reference).resolve("1.0")


def _certificate(folder: Path) -> Path:
    """own.crt and own.key for 127.0.0.1, signed by itself."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "own.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "own.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def test_an_integrity_error_of_the_registry_itself_is_told(served: Served, connect: Connect, given: Image) -> None:
    served.faults = [Fault(path="/manifests/", body=b"{}")]
    with pytest.raises(IntegrityError):
        _pull(connect, served, "http://127.0.0.1:9")
