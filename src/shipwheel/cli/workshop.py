"""From the environment to what `lock` and `build` work with."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from shipwheel.build import Workshop
from shipwheel.cli.context import Context
from shipwheel.credentials import Credentials
from shipwheel.fetch import FileCache
from shipwheel.http import Client
from shipwheel.oci.blob import Platform
from shipwheel.project import Project
from shipwheel.resolve.debian import find_archives
from shipwheel.resolve.indexes import project_indexes
from shipwheel.resolve.project import Reach

APT = Path("/etc/apt")


def open_workshop(context: Context, project: Project, jobs: int = 0) -> Workshop:
    """The workshop for one project."""
    files = FileCache(context.home / "downloads")
    indexes = project_indexes(project.root, project.requirements, context.env, files.folder / "hints")
    credentials = Credentials(given=indexes.credentials, netrc=_netrc(context), keyring=shutil.which("keyring") or "")
    reach = Reach(
        client=Client(credentials=credentials),
        archives=find_archives(context.env, project.settings.debian_mirror or "", APT),
        indexes=indexes,
        cache=files.folder,
        host=this_machine(),
        env=context.env,
    )
    return Workshop(
        store=context.store,
        files=files,
        reach=reach,
        home=context.home,
        jobs=jobs or os.cpu_count() or 2,
        progress=context.progress(),
    )


def this_machine() -> Platform:
    """Linux on this machine's processor: what containers on it run."""
    return Platform.parse(f"linux/{platform.machine()}")


def _netrc(context: Context) -> Path | None:
    path = Path(context.env.get("NETRC") or Path.home() / ".netrc")
    return path if path.is_file() else None
