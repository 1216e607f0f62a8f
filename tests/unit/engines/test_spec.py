"""The flags of run, parsed."""

from __future__ import annotations

import pytest

from shipwheel.engines.spec import (
    Port,
    RunSpec,
    Volume,
    default_name,
    exposed_ports,
    parse_env,
    parse_name,
    parse_network,
    parse_size,
)
from shipwheel.errors import UsageError
from support.images import image


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", Port(container=8000)),
        ("80:8000", Port(container=8000, host=80)),
        (":8000", Port(container=8000)),
        ("127.0.0.1:80:8000", Port(container=8000, host=80, ip="127.0.0.1")),
        ("127.0.0.1::8000", Port(container=8000, ip="127.0.0.1")),
        ("[::1]:80:8000/tcp", Port(container=8000, host=80, ip="::1")),
    ],
)
def test_ports(text: str, expected: Port) -> None:
    assert Port.parse(text) == expected
    assert Port.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "x", "80:x", "1:2:3:4", "70000", "80:0", "70000:80", "80:53/udp", "-1:80"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(UsageError, match="-p"):
        Port.parse(text)


def test_volumes() -> None:
    assert Volume.parse("/a:/b") == Volume(source="/a", target="/b")
    assert Volume.parse("./a:/b:ro") == Volume(source="./a", target="/b", read_only=True)
    assert Volume.parse("cache:/b:rw") == Volume(source="cache", target="/b")
    assert [Volume.parse(text).is_path for text in ("/a:/b", "./a:/b", "cache:/b")] == [True, True, False]
    for text in ("", "a", "a:", "a:b", ":/b", "a:/b:rx"):
        with pytest.raises(UsageError, match="-v"):
            Volume.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512m", 512 << 20), ("2g", 2 << 30), ("1.5GiB", 3 << 29), ("64K", 64 << 10), ("100", 100), ("1 tb", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "much", "-1g", "0", "1x", "1.2.3g"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        parse_size(text, "--memory")


def test_variables_are_set_or_passed_through() -> None:
    found = parse_env(("A=1", "B=x=y", "C=", "MINE", "ABSENT"), {"MINE": "m", "A": "other"})
    assert found == {"A": "1", "B": "x=y", "C": "", "MINE": "m"}
    with pytest.raises(UsageError, match="-e"):
        parse_env(("=x",), {})


def test_names_come_from_the_image() -> None:
    assert default_name("registry.example:5000/team/Churn_model:1.0", "3f2a") == "Churn_model-3f2a"
    assert default_name("app@sha256:" + "0" * 64, "x") == "app-x"
    assert parse_name("a.b-c_9") == "a.b-c_9"
    for text in ("", "-a", "a b", "a/b", "a" * 64):
        with pytest.raises(UsageError):
            parse_name(text)


def test_networks() -> None:
    assert [parse_network(text) for text in ("host", "none", "my-net")] == ["host", "none", "my-net"]
    with pytest.raises(UsageError):
        parse_network("container:x")


def test_nothing_is_published_on_a_network_without_a_way_in() -> None:
    ports = (Port(container=80),)
    assert RunSpec(image="a", name="a", ports=ports).published == ports
    assert RunSpec(image="a", name="a", ports=ports, network="host").published == ()
    assert RunSpec(image="a", name="a", ports=ports, network="none").published == ()


def test_exposed_ports_come_from_the_config() -> None:
    assert exposed_ports(image()) == (8000,)
