"""How the packages of what is served come to this machine: from a lock, from requirements, or by named versions."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.build import Workshop
from shipwheel.cli.context import Context
from shipwheel.cli.workshop import open_workshop, this_machine
from shipwheel.environments import Environments
from shipwheel.errors import LockError
from shipwheel.hashes import Hashes
from shipwheel.lock import FILE_NAME, Lock, read_lock, write_lock
from shipwheel.plan import Plan
from shipwheel.project import Project
from shipwheel.resolve.fingerprint import current_lock, fingerprint
from shipwheel.resolve.model import check_model
from shipwheel.runtime import runtime_wheel

if TYPE_CHECKING:
    from shipwheel.supply import Supplier

_RELOCK = "shipwheel lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What to install besides the runtime, for Python `python` (3.11; empty: ours).

    `lines` are requirements, `files` requirements files or pyproject.toml, of which `fingerprint` is a hash.
    """

    python: str = ""
    lines: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    fingerprint: str = ""
    extra: str = ""


def install_named(context: Context, needs: Needs) -> Path:
    """An environment with the runtime and what is named."""
    wheel = runtime_wheel()
    python = needs.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    extra = f"[{needs.extra}]" if needs.extra else ""
    lines = [*needs.lines, f"{wheel.name}{extra}=={wheel.version}"]

    def fill(interpreter: Path) -> None:
        context.say(f"installing {', '.join([*needs.files, *lines])}, for Python {python}")
        with tempfile.TemporaryDirectory(prefix="shipwheel-wheel-") as folder:
            wheel.write(Path(folder))
            flags = ["--find-links", folder, *(word for file in needs.files for word in ("--requirements", file))]
            _environments(context, indexes=True).install(
                interpreter, [*flags, *lines], "the model's packages cannot be installed here"
            )

    return _environments(context).ensure(python, [*sorted(lines), needs.fingerprint, wheel.sha256], fill)


def install_locked(context: Context, project: Project, lock: Lock | None) -> Path:
    """An environment with the locked wheels of this machine's platform, those built from source included.

    Without a lock the requirements are resolved, once for as long as they stay the same.
    """
    with open_workshop(context, project) as shop:
        plan = Plan(project=project, platform=this_machine())
        lock = lock or _resolved(context, plan, shop)
        locked = lock.of(plan.platform)
        if sys.platform != "linux":  # the versions of the lock, in files for this system
            lines = [f"{each.name}=={each.version}" for each in locked.wheels if each.name != runtime_wheel().name]
            return install_named(context, Needs(python=lock.python, lines=tuple(lines)))
        built = {path.name: path for _, path in _supplier(lock, plan, shop).built(plan)} if locked.built else {}

        def fill(interpreter: Path) -> None:
            context.say(f"installing {len(locked.wheels) + len(built)} packages, for Python {lock.python}")
            files = {**_supplier(lock, plan, shop).wheels(), **built}
            _environments(context).install_files(interpreter, files)

        contents = [*(each.sha256 for each in locked.wheels), *sorted(map(str, built.values()))]
        return _environments(context).ensure(lock.python, contents, fill)


def _environments(context: Context, *, indexes: bool = False) -> Environments:
    """With what uv must be told of the indexes that are configured, where it is to ask them."""
    told: Mapping[str, str] = {}
    if indexes:
        from shipwheel.project import Requirements
        from shipwheel.resolve.indexes import project_indexes

        told = project_indexes(context.home, Requirements(), context.env, context.home / "downloads" / "hints").environment()
    return Environments(home=context.home, env={**context.env, **told})


def fresh_lock(context: Context, project: Project) -> Lock | None:
    """The project's lock, where it is of these requirements, this runtime and this model, and has this machine's platform."""
    if not (project.root / FILE_NAME).exists():
        return None
    try:
        lock = current_lock(project)
        check_model(project, lock, Hashes(context.home / "hashes").sha256)
        lock.of(this_machine())
    except LockError as error:
        context.say(f"{error.message}\nserving without the lock; '{_RELOCK}' makes a new one", style="yellow")
        return None
    return lock


def _resolved(context: Context, plan: Plan, shop: Workshop) -> Lock:
    """What the requirements come to on this machine, remembered until they change."""
    path = context.home / "environments" / f"{fingerprint(plan.project)[:32]}-{runtime_wheel().sha256[:8]}.lock"
    if path.exists():
        with suppress(LockError):
            return read_lock(path)
    from shipwheel.resolve.project import lock_wheels

    context.say("choosing versions, as there is no lock")
    lock = lock_wheels(plan.project, plan.platform, shop.reach())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lock(path, lock)
    return lock


def _supplier(lock: Lock, plan: Plan, shop: Workshop) -> Supplier:
    from shipwheel.supply import Supplier

    return Supplier(lock=lock, platform=plan.platform, reach=shop.reach(), home=shop.home, progress=shop.progress)
