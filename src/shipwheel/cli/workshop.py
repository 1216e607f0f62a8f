"""From the environment to what `lock` and `build` work with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from shipwheel.build import Workshop
from shipwheel.cli.context import Context
from shipwheel.fetch import FileCache
from shipwheel.http import Client, Credentials
from shipwheel.oci.blob import Platform
from shipwheel.project import Project
from shipwheel.resolve.debian.archives import find_archives
from shipwheel.resolve.indexes import find_indexes

APT = Path("/etc/apt")


def open_workshop(context: Context, project: Project, jobs: int = 0) -> Workshop:
    """The workshop for one project."""
    return Workshop(
        store=context.store,
        files=FileCache(context.home / "downloads"),
        client=Client(credentials=Credentials(netrc=_netrc(context))),
        archives=find_archives(context.env, project.settings.debian_mirror or "", APT),
        indexes=find_indexes(context.env, project),
        machine=this_machine().architecture,
        jobs=jobs or os.cpu_count() or 2,
        progress=context.progress(),
    )


def this_machine() -> Platform:
    """Linux on this machine's processor: what containers on it run."""
    return Platform.parse(f"linux/{platform.machine()}")


def _netrc(context: Context) -> Path | None:
    path = Path(context.env.get("NETRC") or Path.home() / ".netrc")
    return path if path.is_file() else None
