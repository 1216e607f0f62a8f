"""httpx without its command line: that imports rich and Pygments, a sixth of the time of a push that sends nothing."""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # what cannot be imported httpx does without

import httpx  # noqa: E402

__all__ = ["httpx"]
