"""Who asks: passwords, tokens and their scopes, and that no other host hears of them."""

from __future__ import annotations

import time

import pytest

from shipwheel.errors import NetworkError
from shipwheel.oci.copy import copy
from shipwheel.oci.reference import Reference
from shipwheel.registry.logins import Login, Logins
from shipwheel.registry.registries import Access, Registries
from support.registry import Fault, Served
from support.trees import foreign, image

from .conftest import FAST, Connect

SECRET = "joe:secret"


def _tokens(served: Served) -> list[str]:
    return [each.path for each in served.log if each.path.startswith("/token")]


def test_a_token_is_asked_for_once_for_all_that_a_push_needs(served: Served, connect: Connect) -> None:
    served.auth = SECRET
    repository = connect()
    repository.expect("1.0")
    copy(image(), repository, "1.0", workers=4)
    assert _tokens(served) == ["/token?service=test&scope=repository%3Ateam%2Fapp%3Apull%2Cpush"]
    assert [each.status for each in served.log].count(401) == 1


def test_reading_asks_for_no_more_than_to_read(served: Served, connect: Connect) -> None:
    copy(image(), connect(), "1.0")
    served.forget_log()
    served.auth = SECRET
    connect().resolve("1.0")
    assert _tokens(served) == ["/token?service=test&scope=repository%3Ateam%2Fapp%3Apull"]


def test_basic_is_sent_where_that_is_asked_for(served: Served, connect: Connect) -> None:
    served.auth, served.scheme = SECRET, "Basic"
    copy(image(), connect(), "1.0")
    assert served.said("GET") == []
    assert [each.status for each in served.log].count(401) == 1


def test_an_identity_token_is_posted(served: Served, connect: Connect) -> None:
    served.auth, served.identity = SECRET, "refresh-me"
    copy(image(), connect(login=Login(user="", identity_token="refresh-me")), "1.0")
    (token,) = [each for each in served.log if each.path.startswith("/token")]
    assert (token.method, token.path, token.status) == ("POST", "/token", 200)
    assert "authorization" not in token.headers


def test_nobody_reads_with_an_anonymous_token(served: Served) -> None:
    with Registries(Access(limits=FAST)) as registries:
        repository = registries.repository(Reference.parse(f"{served.host}/team/app"))
        copy(image(), repository, "1.0")
        served.auth, served.anonymous = SECRET, True
        repository.resolve("1.0")
        with pytest.raises(NetworkError, match="401") as raised:
            copy(image("c"), repository, "2.0")
    assert f"shipwheel login {served.host}" in raised.value.hint


def test_a_wrong_password_is_told_and_not_shown(served: Served, connect: Connect) -> None:
    served.auth = SECRET
    with pytest.raises(NetworkError, match=r"401 Unauthorized: UNAUTHORIZED: incorrect") as raised:
        connect(login=Login(user="joe", password="wr0ng")).resolve("1.0")
    assert "wr0ng" not in str(raised.value) + str(raised.value.fields)
    assert raised.value.fields["code"] == "UNAUTHORIZED"


def test_a_token_that_ends_within_a_push_is_renewed(served: Served, connect: Connect) -> None:
    served.auth = SECRET
    served.faults = [Fault(method="PUT", path="/blobs/uploads/", action=served.revoke)]
    given, repository = image("a", "b"), connect()
    copy(given, repository, "1.0")
    assert repository.resolve("1.0").manifest.digest == given.manifest.digest
    assert len(_tokens(served)) == 2


def test_a_token_that_ends_between_two_pieces_is_renewed(
    served: Served, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipwheel.registry.upload.PIECE", 1000)
    served.auth = SECRET
    served.faults = [Fault(method="PATCH", times=1), Fault(method="PATCH", action=served.revoke)]
    connect().write(blob := foreign(bytes(range(250)) * 10))
    assert served.blobs["team/app"][str(blob.digest)] == blob.read()
    assert [each.status for each in served.log if each.method == "PATCH"] == [202, 401, 202, 202]


def test_a_scope_that_a_registry_wants_besides_is_asked_for(served: Served, connect: Connect) -> None:
    served.auth = SECRET
    challenge = f'Bearer realm="http://{served.host}/token",service="test",scope="aws"'
    served.faults = [Fault(path="/v2/team", status=401, headers={"WWW-Authenticate": challenge})]
    assert connect().manifest("1.0") is None
    assert _tokens(served) == ["/token?service=test&scope=aws&scope=repository%3Ateam%2Fapp%3Apull"]


def test_a_token_is_renewed_before_it_ends(served: Served, connect: Connect) -> None:
    served.auth, served.token_life = SECRET, 0.2
    copy(image(), repository := connect(), "1.0")
    time.sleep(0.2)
    copy(image("c"), repository, "2.0")
    assert [each.status for each in served.log].count(401) == 1


@pytest.mark.parametrize("field", ["redirects", "uploads_elsewhere"])
@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_no_other_host_hears_who_we_are(served: Served, connect: Connect, field: str, scheme: str) -> None:
    served.auth, served.scheme = SECRET, scheme
    setattr(served, field, True)
    given, repository = image(), connect()
    copy(given, repository, "1.0")
    found = repository.resolve("1.0")
    assert found.manifest.digest == given.manifest.digest
    assert served.elsewhere_log
    assert all("authorization" not in each.headers for each in served.elsewhere_log)


def test_a_token_service_that_gives_none_is_named(served: Served, connect: Connect) -> None:
    served.auth = SECRET
    served.faults = [Fault(path="/token", status=200, body=b"<html>log in</html>")]
    with pytest.raises(NetworkError, match=r"http://127.0.0.1:\d+/token gave no token"):
        connect().resolve("1.0")


@pytest.mark.parametrize("realm", ["ftp://elsewhere/token", "elsewhere", ""])
def test_a_token_service_must_be_a_web_address(served: Served, connect: Connect, realm: str) -> None:
    served.faults = [Fault(path="/v2/team", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})]
    with pytest.raises(NetworkError, match="which is not https"):
        connect().resolve("1.0")


def test_a_login_is_checked(served: Served) -> None:
    served.auth = SECRET
    for password in ("secret", "wrong"):
        logins = Logins(given={served.host: Login(user="joe", password=password)})
        with Registries(Access(logins=logins, limits=FAST)) as registries:
            if password == "secret":
                registries.check(served.host)
            else:
                with pytest.raises(NetworkError, match="401") as raised:
                    registries.check(served.host)
                assert raised.value.hint.startswith("the user or the password is wrong")
