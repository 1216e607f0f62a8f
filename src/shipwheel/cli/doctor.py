"""`shipwheel doctor`."""

from __future__ import annotations

import getpass
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from shipwheel.cli.context import Context, emit, local_name
from shipwheel.cli.home import user_home
from shipwheel.cli.registries import logins
from shipwheel.cli.workshop import APT, this_machine
from shipwheel.credentials import Credentials
from shipwheel.doctor.finding import Finding, Severity, error, in_order
from shipwheel.doctor.image import Subject, subject
from shipwheel.doctor.machine import Machine, Outside, read_machine
from shipwheel.doctor.network import PAGE, Server
from shipwheel.doctor.project import check_lock, one_line, read_project
from shipwheel.doctor.where import Where
from shipwheel.errors import LockError, ShipwheelError
from shipwheel.http import Client
from shipwheel.http.exchange import Limits
from shipwheel.lock import FILE_NAME, read_lock
from shipwheel.oci.image import images_of
from shipwheel.project import Project
from shipwheel.resolve.base import SUITES
from shipwheel.resolve.debian import find_archives
from shipwheel.resolve.indexes import Indexes, find_indexes, project_indexes

SOON = Limits(connect=3.0, stall=4.0, attempts=1)
"""A server that takes longer for the head of a page is a finding."""

WORSE: tuple[Severity, ...] = ("error", "warning", "note")

COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "note": "cyan", "ok": "green"}


@click.command()
@click.argument("target", metavar="[DIR|NAME]", required=False)
@click.option("-v", "--verbose", is_flag=True, help="Show what is fine too.")
@click.option("--json", "as_json", is_flag=True, help="Print data: severity, check, message and remedy of everything found.")
@click.pass_obj
def command(context: Context, target: str | None, verbose: bool, as_json: bool) -> int:
    """Check this machine, and whether it can run the image of the project DIR, or the image NAME of the local store.

    A line for each finding: what is, and behind the arrow what to do. Status 1 if there is an error; 0 otherwise, whatever the
    warnings (something that you may not need does not work, or works less well) and notes.
    """
    findings = tuple(_findings(context, target))
    if as_json:
        emit([asdict(found) for found in findings])
    else:
        for found in findings:
            if verbose or found.severity != "ok":
                click.echo(_line(found))
        context.say(_summary(findings))
    return 1 if any(found.severity == "error" for found in findings) else 0


def _findings(context: Context, target: str | None) -> tuple[Finding, ...]:
    """Of the machine, and of what was named."""
    folder = Path(target) if target and Path(target).is_dir() else None
    project, found = read_project(folder) if folder else (None, None)
    about = None if folder or not target else _image(context, target)
    machine, faults = _machine(context, project)
    if project:
        faults += check_lock(project)
        about = _locked(project)
    faults += [found] if found else []
    return in_order([*machine.findings, *faults, *(machine.runs(about) if about else ())])


def _machine(context: Context, project: Project | None) -> tuple[Machine, list[Finding]]:
    """The machine as seen from the project's folder, or this one; and why indexes cannot be asked, if so."""
    faults: list[Finding] = []
    servers: list[Server] = []
    given: dict[str, tuple[str, str]] = {}
    try:
        indexes = _indexes(context, project)
        servers += [Server(check="index", url=f"{url.rstrip('/')}/{PAGE}") for url in indexes.pages]
        given = indexes.credentials
        servers += _mirrors(context, project)
    except ShipwheelError as fault:
        faults.append(error("index", one_line(fault.message), fault.hint or "correct or remove that file"))
    netrc = Path(context.env.get("NETRC") or user_home(context.env) / ".netrc")
    keyring = shutil.which("keyring", path=context.env.get("PATH")) or ""
    with Client(credentials=Credentials(given=given, netrc=netrc, keyring=keyring), limits=SOON) as client:
        outside = Outside(client=client, servers=tuple(servers), logins=logins(context.env).files)
        return read_machine(_where(context), outside), faults


def _where(context: Context) -> Where:
    uid = os.getuid()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        user = str(uid)
    return Where(home=context.home, env=context.env, uid=uid, user=user)


def _indexes(context: Context, project: Project | None) -> Indexes:
    if project:
        return project_indexes(project.root, project.requirements, context.env)
    return find_indexes(Path().absolute(), context.env)


def _mirrors(context: Context, project: Project | None) -> Iterator[Server]:
    """Debian's main archive, and that of security where there is one, with the release that the base is of."""
    setting = project.settings.debian_mirror if project else None
    archives = find_archives(context.env, setting or "", APT)
    suite = SUITES.get(project.python if project else "", next(iter(SUITES.values())))
    yield Server(check="debian", url=f"{archives.main}/dists/{suite}/InRelease", must=True)
    yield Server(check="debian", url=f"{archives.security}/dists/{suite}-security/InRelease")


def _image(context: Context, name: str) -> Subject:
    """An image of the local store, as its labels describe it."""
    images = images_of(context.store.resolve(local_name(name)))
    labels = (json.loads(image.config.read()).get("config", {}).get("Labels") for image in images)
    mine = dict(zip([image.platform for image in images], labels, strict=True))
    return subject(local_name(name), mine, mine.get(this_machine(), next(iter(mine.values()))) or {})


def _locked(project: Project) -> Subject | None:
    """What the image will be, by the lock; nothing without one that can be read."""
    from shipwheel.build import hardware

    try:
        lock = read_lock(project.root / FILE_NAME)
    except LockError:
        return None
    mine = {each.platform: each for each in lock.platforms}
    chosen = mine.get(this_machine(), lock.platforms[0])
    return subject(project.name, mine, hardware(chosen).labels)


def _line(found: Finding) -> str:
    """SEVERITY check: what is -> what to do."""
    severity = click.style(f"{found.severity:<8}", fg=COLOURS[found.severity], bold=found.severity == "error")
    remedy = f" -> {found.remedy}" if found.remedy else ""
    return f"{severity} {found.check}: {found.message}{remedy}"


def _summary(findings: Iterable[Finding]) -> str:
    """1 error, 2 warnings."""
    counts = Counter(found.severity for found in findings)
    words = [f"{counts[each]} {each}{'s' if counts[each] > 1 else ''}" for each in WORSE if counts[each]]
    return f"{', '.join(words) or 'nothing to complain of'}; {counts['ok']} things are fine (--verbose shows them)"
