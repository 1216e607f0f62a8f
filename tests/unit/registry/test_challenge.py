"""WWW-Authenticate, as registries write it."""

import pytest

from shipwheel.registry.challenge import Challenge


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="ecr"', [("basic", {"realm": "ecr"})]),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ("Bearer realm=https://x/token, service=x", [("bearer", {"realm": "https://x/token", "service": "x"})]),
        ('BEARER Realm="a\\"b" , error="invalid_token"', [("bearer", {"realm": 'a"b', "error": "invalid_token"})]),
        (
            'Negotiate, Basic realm="x", Bearer realm="y"',
            [("negotiate", {}), ("basic", {"realm": "x"}), ("bearer", {"realm": "y"})],
        ),
        ('Bearer realm="open', [("bearer", {"realm": ""})]),
        ("=,=", []),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in Challenge.parse(header)] == expected
