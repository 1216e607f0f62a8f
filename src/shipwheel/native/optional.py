"""Which native files a package works without: tests, plugins, what is made for another Python."""

from __future__ import annotations

import re

_TESTS = re.compile(r"(^|/)(tests?|testing|examples?|benchmarks?)/|(^|[/_])tests?([_.][^/]*)?$|[a-z]Test$")
_PLUGINS = re.compile(r"/[^/]*plugins?/|/qml/|_dri\.so$")
"""By folder; QML's are loaded by what a window shows, *_dri.so are Mesa's drivers. For single packages see native.toml."""
_OTHER_PYTHON = re.compile(r"python3\.(\d+)/.*\.(?:pypy|graalpy|cpython-3(?!\1\D))\d*[^/]*\.so$")

_TBB = re.compile(r"/libtbbbind")
"""TBB, which many packages bring, asks hwloc for the machine's nodes if it can."""


def is_optional(path: str) -> bool:
    """Whether nothing that a service imports depends on the file at `path` alone."""
    return is_plugin(path) or _TESTS.search(path) is not None


def is_plugin(path: str) -> bool:
    """Whether the file is opened only when something is asked for by name, or where another will do."""
    return any(rule.search(path) for rule in (_PLUGINS, _OTHER_PYTHON, _TBB))
