"""From the environment to what `lock` and `build` work with."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.build import Workshop
from shipwheel.cli.context import Context
from shipwheel.cli.home import user_home
from shipwheel.errors import UsageError
from shipwheel.oci.blob import Platform
from shipwheel.project import Project

if TYPE_CHECKING:
    from shipwheel.resolve.project import Reach

APT = Path("/etc/apt")


ARCHITECTURES = ("amd64", "arm64")
"""What images can be made for."""


@contextmanager
def open_workshop(context: Context, project: Project, jobs: int = 0) -> Iterator[Workshop]:
    """The workshop for one project; indexes and mirrors are only looked for when something must be fetched."""
    with ExitStack() as stack:
        yield Workshop(
            home=context.home,
            store=context.store,
            reach=functools.cache(lambda: find_reach(context, project, stack)),
            jobs=jobs or (os.cpu_count() or 1) + 1,
            progress=context.progress(),
            say=context.say,
        )


def find_reach(context: Context, project: Project, stack: ExitStack) -> Reach:
    """Where versions and files of this project come from; connections end with `stack`."""
    from shipwheel.credentials import Credentials
    from shipwheel.examine import Reader, examine
    from shipwheel.http import Client
    from shipwheel.resolve.debian import find_archives
    from shipwheel.resolve.indexes import project_indexes
    from shipwheel.resolve.project import Reach

    cache = context.home / "downloads"
    indexes = project_indexes(project.root, project.requirements, context.env, cache / "hints")
    netrc = Path(context.env.get("NETRC") or user_home(context.env) / ".netrc")
    credentials = Credentials(given=indexes.credentials, netrc=netrc, keyring=shutil.which("keyring") or "")
    reach = Reach(
        client=stack.enter_context(Client(credentials=credentials)),
        archives=find_archives(context.env, project.settings.debian_mirror or "", APT),
        indexes=indexes,
        cache=cache,
        host=this_machine(),
        env=context.env,
        repository=context.repository,
        say=functools.cache(context.say),  # two platforms mostly say the same
    )
    reader = Reader(reach=reach, home=context.home, progress=context.progress())
    return replace(reach, examine=functools.partial(examine, reader))


def wanted_platforms(asked: Iterable[str], project: Project) -> tuple[Platform, ...]:
    """The platforms of the command line, else those of the project's settings; none: whatever the verb falls back to.

    Raises:
        UsageError: a platform that no image can be made for.
    """
    platforms = tuple(dict.fromkeys(map(Platform.parse, asked))) or project.settings.platforms
    for platform in platforms:
        if (platform.os, platform.variant) != ("linux", "") or platform.architecture not in ARCHITECTURES:
            raise UsageError(f"no image can be made for '{platform}'", hint="linux/amd64 and linux/arm64 are supported")
    return platforms


def this_machine() -> Platform:
    """Linux on this machine's processor: what containers on it run."""
    return Platform.parse(f"linux/{os.uname().machine}")
