"""What flags and environment say of the layer index."""

from __future__ import annotations

import pytest

from shipwheel.cli.layer_index import PULL_REQUEST, index_use, is_pull_request, may_publish
from shipwheel.errors import UsageError


@pytest.mark.parametrize("name", PULL_REQUEST)
def test_a_pull_request_is_known_by_what_ci_sets(name: str) -> None:
    for value in PULL_REQUEST[name] or ("17", "https://example.com/pull/17"):
        assert is_pull_request({name: value})
        assert not may_publish({name: value})
    assert not is_pull_request({name: ""})


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"CI": "true"},
        {"GITHUB_EVENT_NAME": "push"},
        {"GITHUB_EVENT_NAME": "merge_group"},
        {"CI_PIPELINE_EVENT": "push"},
        {"BUILDKITE_PULL_REQUEST": "false"},
        {"TRAVIS_PULL_REQUEST": "false"},
    ],
)
def test_what_is_no_pull_request_publishes(env: dict[str, str]) -> None:
    assert may_publish(env)


def test_the_own_variable_comes_first() -> None:
    assert may_publish({"SHIPWHEEL_LAYER_INDEX_PUBLISH": "1", "GITHUB_EVENT_NAME": "pull_request"})
    assert not may_publish({"SHIPWHEEL_LAYER_INDEX_PUBLISH": "0"})
    with pytest.raises(UsageError, match="SHIPWHEEL_LAYER_INDEX_PUBLISH is 'yes'"):
        may_publish({"SHIPWHEEL_LAYER_INDEX_PUBLISH": "yes"})


@pytest.mark.parametrize(("text", "count"), [("", 0), ("0", 0), ("3", 3), ("all", 2**31)])
def test_layers_to_make_again(text: str, count: int) -> None:
    assert index_use(off=False, verify=text, sign_key="").verify == count


@pytest.mark.parametrize("text", [".", "-1", "some", "٣", "1.5"])
def test_layers_to_make_again_are_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="a number or 'all'"):
        index_use(off=False, verify=text, sign_key="")
