"""For all tests: Hypothesis without deadlines, as a loaded machine is no bug; Ctrl-C that reaches the processes they start;
which tests share a process."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("shipwheel", deadline=None, print_blob=True)
settings.load_profile("shipwheel")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its children


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup` a file stays together, and so do the examples and Podman, whose bridge is the machine's."""
    for item in items:
        podman = item.get_closest_marker("podman") or item.path.name == "test_examples.py"
        item.add_marker(pytest.mark.xdist_group("podman" if podman else item.path.stem))
