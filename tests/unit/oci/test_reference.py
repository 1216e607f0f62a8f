"""`Reference`: image names as users write them."""

from __future__ import annotations

import pytest

from shipwheel.errors import UsageError
from shipwheel.oci.reference import Reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "written"),
    [
        ("app", "", "app", "latest", "app:latest"),
        ("app:1.0", "", "app", "1.0", "app:1.0"),
        ("team/app:1.0", "", "team/app", "1.0", "team/app:1.0"),
        ("localhost/app", "localhost", "app", "latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000", "app", "latest", "localhost:5000/app:latest"),
        ("[::1]:5000/app", "[::1]:5000", "app", "latest", "[::1]:5000/app:latest"),
        ("ghcr.io/team/app:v1", "ghcr.io", "team/app", "v1", "ghcr.io/team/app:v1"),
        ("a__b--c.d:X_1", "", "a__b--c.d", "X_1", "a__b--c.d:X_1"),
        (f"app@{DIGEST}", "", "app", "latest", f"app@{DIGEST}"),
    ],
)
def test_reads(text: str, registry: str, repository: str, tag: str, written: str) -> None:
    found = Reference.parse(text)
    assert (found.registry, found.repository, found.tag, str(found)) == (registry, repository, tag, written)
    assert Reference.parse(written) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "App", "app:", "app:.x", "-app", "a//b", "app:" + "x" * 129, "a b", "a:b:c", "/app"),
        *("./app", "../app", "a..b/app", ":5000/app", "host:port/app", "x" * 64 + ".io/app"),
    ],
)
def test_refuses_with_a_name_that_is_near(text: str) -> None:
    with pytest.raises(UsageError, match="not an image name") as caught:
        Reference.parse(text)
    near = caught.value.hint.rpartition("example ")[2]
    assert Reference.parse(near)


@pytest.mark.parametrize("text", ["app@sha256:12", "user@host.io/app"])
def test_what_stands_behind_the_at_sign_is_a_digest(text: str) -> None:
    with pytest.raises(UsageError, match="is not a sha256 digest"):
        Reference.parse(text)


def test_a_url_is_told_without_its_scheme() -> None:
    with pytest.raises(UsageError, match="not an image name") as caught:
        Reference.parse("https://ghcr.io/team/app:1")
    assert caught.value.hint == "without 'https://': ghcr.io/team/app:1"
