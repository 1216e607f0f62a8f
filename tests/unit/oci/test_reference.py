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
        ("ghcr.io/team/app:v1", "ghcr.io", "team/app", "v1", "ghcr.io/team/app:v1"),
        ("a__b--c.d:X_1", "", "a__b--c.d", "X_1", "a__b--c.d:X_1"),
        (f"app@{DIGEST}", "", "app", "latest", f"app@{DIGEST}"),
    ],
)
def test_reads(text: str, registry: str, repository: str, tag: str, written: str) -> None:
    found = Reference.parse(text)
    assert (found.registry, found.repository, found.tag, str(found)) == (registry, repository, tag, written)
    assert Reference.parse(written) == found


@pytest.mark.parametrize("text", ["", "App", "app:", "app:.x", "-app", "a//b", "app:" + "x" * 129, "a b", "a:b:c", "/app"])
def test_refuses_with_a_name_that_is_near(text: str) -> None:
    with pytest.raises(UsageError, match="not an image name") as caught:
        Reference.parse(text)
    near = caught.value.hint.rpartition("example ")[2]
    assert Reference.parse(near)
