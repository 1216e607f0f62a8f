"""What rules are called, and how they speak."""

import re

import pytest

from shipwheel.lint.rule import Rule, rules
from shipwheel.lint.tables import date_of

KEYS = """
apt-cache apt-key apt-missing-pkg apt-no-recommends apt-no-y apt-update-alone apt-upgrade arch-mismatch
background-ampersand base-alpine-ml base-devel-final base-eol base-floating base-latest base-no-digest base-untagged
bind-localhost brace-expansion-in-sh build-arg-secret build-tools-final buildkit-default cache-mount-useless
chown-duplicate-layer compose-version-key cond-always-true copy-before-install copy-parent cpu-torch-on-gpu-base
cuda-duplicate cuda-ext-no-arch cuda-ext-no-nvcc cuda-gpg-key-rotated cuda-stubs-in-ld-path cuda-tag-retired
cuda-visible-with-device cuda-wheel-mismatch curl-pipe-sh data-baked db-path-outside-volume dead-url
depends-without-health dev-server dev-tools-final docker-run-no-shm docker-scan download-unverified entrypoint-broken
entrypoint-missing-binary env-file-copied errors-hidden expose-mismatch find-links-index framework-reinstalled
git-unpinned gpu-base-no-gpu-package gpu-limit-missing gpu-package-on-cpu-base gpu-reservation-syntax
gpu-toleration-missing healthcheck-heavy healthcheck-ignores-status healthcheck-missing-binary
healthcheck-missing-module healthcheck-only healthcheck-start-period hf-login-layer hf-token-name ignore-drops-needed
ignore-missing ignore-not-recursive ignore-unused ignore-without-reason index-ambiguous inline-comment jupyter-no-auth
jupyter-root key-file-copied latest-and-always limits-missing liveness-kills-loading lock-not-enforced
missing-system-lib model-baked model-download-unpinned model-load-in-handler no-cmd no-healthcheck no-limits no-user
noop-conda-activate noop-export nvidia-docker2 on-event-deprecated outputs-baked pip-cache pip-compile-flag
pip-specifier-redirect pip-trusted-host pip-unpinned pip-wrong-name probes-missing prune-volumes python-mismatch
relative-workdir requirements-no-hashes requirements-unpinned rm-later-layer secret-arg secret-cli-syntax
secret-deleted-late secret-echoed secret-env secret-mount-unused secret-run shell-form shm-emptydir-missing shm-missing
stage-dead sync-at-start sync-predict-in-async syntax too-many-run torch-cuda-impossible torch-default-is-cuda
torch-python-impossible transformers-cache unbuffered-missing user-cannot-read uv-torch-backend-ignored
uvicorn-workers-deprecated whole-context-copied workers-times-model yaml-syntax
"""


def test_no_rule_is_lost_or_renamed() -> None:
    """Users name them in comments and settings: a key stays for ever."""
    assert set(KEYS.split()) == rules().keys()


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.key)
def test_rules_speak_in_one_way(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.key)
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    assert not re.search(r"[^.]\.$", rule.remedy)
    assert rule.source
    assert not rule.dated or re.fullmatch(r"\d{4}-\d\d-\d\d", date_of(rule.dated))
