"""From flags, settings and environment to the shared layer index of a build."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.cli.attesting import sign_password
from shipwheel.cli.context import Context
from shipwheel.errors import NetworkError, UsageError
from shipwheel.project import Project

if TYPE_CHECKING:
    from shipwheel.oci.reference import Reference
    from shipwheel.registry.layer_index import LayerIndex
    from shipwheel.registry.repository import Repository

FEW = "3"
"""Layers that `--verify-index` makes again without a number: some seconds, and over many builds every layer comes up."""

ALL = "all"

REACHED_WITHIN = 4.0
"""Seconds that it may take to find out whether the index can be reached: a build can do without."""

PUBLISH = "SHIPWHEEL_LAYER_INDEX_PUBLISH"

PULL_REQUEST: Mapping[str, tuple[str, ...]] = {
    "GITHUB_EVENT_NAME": ("pull_request", "pull_request_target"),
    "CI_MERGE_REQUEST_IID": (),
    "CI_EXTERNAL_PULL_REQUEST_IID": (),
    "CI_PIPELINE_EVENT": ("pull_request",),
    "CI_COMMIT_PULL_REQUEST": (),
    "SYSTEM_PULLREQUEST_PULLREQUESTID": (),
    "BITBUCKET_PR_ID": (),
    "CHANGE_ID": (),
    "CIRCLE_PULL_REQUEST": (),
    "BUILDKITE_PULL_REQUEST": (),
    "TRAVIS_PULL_REQUEST": (),
    "DRONE_PULL_REQUEST": (),
    "CIRRUS_PR": (),
}
"""Variables that CI sets on pull requests, with the values that say so (none given: any but empty and false).

GitHub, which Gitea and Forgejo follow; GitLab, twice; Woodpecker, of now and before; Azure, Bitbucket, Jenkins, CircleCI,
Buildkite, Travis, Drone, Cirrus.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexUse:
    """What the command line says of the index: leave it alone, make so many of its layers again, sign with this key."""

    off: bool = False
    verify: int = 0
    sign_key: str = ""


AS_SET = IndexUse()
"""As the project's settings have it."""


def index_use(off: bool, verify: str, sign_key: str) -> IndexUse:
    """The values of the flags.

    Raises:
        UsageError: `--verify-index` of something that is no number of layers.
    """
    if verify and verify != ALL and not (verify.isascii() and verify.isdigit()):
        raise UsageError(
            f"--verify-index takes a number or '{ALL}', not '{verify}'",
            hint="a folder comes before it: build DIR --verify-index",
        )
    return IndexUse(off=off, verify=2**31 if verify == ALL else int(verify or 0), sign_key=sign_key)


def open_layer_index(context: Context, project: Project, use: IndexUse) -> LayerIndex | None:
    """The index that the settings name; nothing is asked of it yet."""
    settings = project.settings
    if use.off or not settings.layer_index:
        return None
    from shipwheel.oci.reference import Reference
    from shipwheel.registry.layer_index import Keys, LayerIndex

    reference = Reference.parse(settings.layer_index).full
    signing = use.sign_key or context.env.get("SHIPWHEEL_SIGN_KEY", "")
    keys = Keys(
        trusted=project.root / settings.layer_index_key if settings.layer_index_key else None,
        signing=Path(signing) if signing else None,
        password=sign_password(context),
    )
    return LayerIndex(
        origin=reference.origin,
        connect=functools.cache(lambda: _connected(context, reference)),
        warn=lambda text: context.say(f"warning: {text}", style="yellow"),
        keys=keys,
        publishes=settings.layer_index_publish and may_publish(context.env),
    )


def _connected(context: Context, reference: Reference) -> Repository:
    """The index's repository; a registry that is not there, away from the office network say, is not waited for long.

    Raises:
        NetworkError: there is no connection to it.
    """
    from shipwheel.cli.registries import access
    from shipwheel.http import Limits
    from shipwheel.registry.registries import Registries

    impatient = Limits(connect=REACHED_WITHIN, stall=REACHED_WITHIN, attempts=1)
    with Registries(replace(access(context.env), limits=impatient)) as probe:
        try:
            probe.check(reference.registry)
        except NetworkError as error:
            if not error.fields.get("status"):
                raise
    return context.repository(reference)


def may_publish(env: Mapping[str, str]) -> bool:
    """As the variable of our own says, else: unless this is a pull request, whose code nobody has seen yet.

    Raises:
        UsageError: the variable is neither 0 nor 1.
    """
    asked = env.get(PUBLISH, "")
    if asked not in ("", "0", "1"):
        raise UsageError(f"{PUBLISH} is '{asked}'", hint="0: never publish layers; 1: publish, on pull requests too")
    return asked == "1" if asked else not is_pull_request(env)


def is_pull_request(env: Mapping[str, str]) -> bool:
    """Whether CI says that it builds a pull request."""
    said = {name: env.get(name, "").lower() for name in PULL_REQUEST}
    return any(said[name] in values if values else said[name] not in ("", "false") for name, values in PULL_REQUEST.items())
