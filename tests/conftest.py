"""For all tests: Hypothesis without deadlines, as a loaded machine is no bug; Ctrl-C that reaches the processes they start;
which tests share a process."""

import signal
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("shipwheel", deadline=None, print_blob=True)
settings.load_profile("shipwheel")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its children


class ByEngine(LoadScopeScheduling):
    """A file stays together, and so do the examples and Podman, whose bridge is the machine's."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "podman" if "podman" in nodeid or file.endswith("test_examples.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """With `--dist loadscope`; xdist's own groups are lost on pytest 9.2."""
    return ByEngine(config, log) if config.getvalue("dist") == "loadscope" else None
