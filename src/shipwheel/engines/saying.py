"""Docker's and Podman's API errors as ours, with the engine's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound

from shipwheel.errors import EngineError


@contextmanager
def engine_says(kind: str) -> Iterator[None]:
    """Turn what the client library raises into EngineError.

    Raises:
        EngineError: the engine refused, or is gone.
    """
    try:
        yield
    except NotFound as error:
        raise EngineError(f"{kind} does not have it: {said(error)}", hint="'shipwheel ps' lists what runs") from None
    except APIError as error:
        raise EngineError(f"{kind} refused: {said(error)}") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, ConnectionError) as error:
        raise EngineError(
            f"{kind} went away in the middle: {type(error).__name__}",
            hint=f"see whether {kind} still runs and has disk space, then try again; nothing half-done is left behind",
        ) from None


def said(error: APIError) -> str:
    """The engine's message without the library's frame."""
    return str(error.explanation or error).strip()
