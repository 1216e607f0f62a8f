"""`RuncEngine`: runs images where no engine does; everything it knows lies in files below the home folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

from shipwheel.engines.death import refused
from shipwheel.engines.engine import STOP_WITHIN, Container, State
from shipwheel.engines.runc.bundle import arguments
from shipwheel.engines.runc.cdi import FOLDERS, choose, edits_to_json, merged, read_offer
from shipwheel.engines.runc.images import RuncTarget
from shipwheel.engines.runc.linux import handles, start_time
from shipwheel.engines.runc.places import ContainerFolder, ImageRecord, Places, Status
from shipwheel.engines.runc.rootfs import remove_folder
from shipwheel.engines.runc.userns import inside
from shipwheel.engines.spec import RunSpec
from shipwheel.errors import EngineAbsentError, EngineError, UsageError

START_WITHIN = 60.0
"""Seconds for mounts and `runc create`; on a loaded machine they take a few."""

POLL = 0.02
"""Seconds between looks at a status file."""

KILL_WITHIN = 10.0
"""Seconds for the kernel to end what got SIGKILL."""


def runc_engine(home: Path, environment: Mapping[str, str]) -> RuncEngine:
    """runc, with state below `home`.

    Raises:
        EngineAbsentError: it is not installed.
    """
    if not which("runc", path=environment.get("PATH")):
        raise EngineAbsentError("no runc program is on PATH", hint="install runc: it needs no service and no configuration")
    return RuncEngine(places=Places(home.absolute()), devices=_device_folders(environment))


def _device_folders(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Of CDI specifications: the machine's, and over them the user's own, since not every user may write the first."""
    own = [environment.get(name) for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")]
    return (*map(Path, FOLDERS), *(Path(folder, "cdi") for folder in own if folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncEngine:
    """A supervisor process for each container, no daemon."""

    places: Places
    devices: tuple[Path, ...] = tuple(map(Path, FOLDERS))
    kind: str = "runc"

    def target(self) -> RuncTarget:
        """Takes images."""
        return RuncTarget(self.places)

    def run(self, spec: RunSpec) -> Container:
        """Start a supervisor and wait until it has started the container or given up.

        Raises:
            ContainerError: it did not start, for a reason that we can name.
            EngineError: for another.
        """
        record = self._record(spec)
        edits = merged(choose(read_offer(self.devices), spec.gpus)) if spec.gpus else None
        folder = self._folder(spec, record)
        if edits:
            folder.edits.write_bytes(edits_to_json(edits))
        container = RuncContainer(folder=folder)
        try:
            status = self._supervise(folder)
        except BaseException:
            container.remove()
            raise
        if status.phase == "ended" and status.error:
            container.remove()
            raise refused(spec.name, status.error) or EngineError(f"runc did not start '{spec.name}': {status.error}")
        return container

    def containers(self) -> list[Container]:
        """Every folder with a spec."""
        if not self.places.containers.is_dir():
            return []
        folders = (self.places.container(path.name) for path in sorted(self.places.containers.iterdir()))
        return [RuncContainer(folder=folder) for folder in folders if (folder.path / "spec.json").exists()]

    def forget(self, image: str) -> None:
        """Its record; unpacked layers stay until `prune`."""
        self.places.image(image).unlink(missing_ok=True)

    def _record(self, spec: RunSpec) -> ImageRecord:
        record = ImageRecord.read(self.places.image(spec.image))
        if record is None:
            raise EngineError(f"runc has no image '{spec.image}'", hint="'shipwheel images' lists those of the local store")
        if not arguments(record, spec):
            raise UsageError(f"'{spec.image}' has no command", hint="give one behind --")
        if os.getuid() != 0 and (spec.limits.memory or spec.limits.cpus):
            raise EngineError(
                "runc cannot limit memory or processors for a user without control groups of their own",
                hint="leave out --memory and --cpus, run as root, or use rootless Podman",
            )
        if spec.network not in ("", "bridge", "host", "none"):
            raise UsageError(f"runc has no network '{spec.network}'", hint="--network bridge, host or none")
        return record

    def _folder(self, spec: RunSpec, record: ImageRecord) -> ContainerFolder:
        folder = self.places.container(spec.name)
        try:
            folder.path.mkdir(parents=True)
        except FileExistsError:
            raise UsageError(
                f"a container named '{spec.name}' exists", hint=f"choose another --name, or 'shipwheel rm {spec.name}'"
            ) from None
        folder.path.chmod(0o711)
        folder.log.touch()
        record.write(folder.path / "image.json")
        folder.write_status(Status())
        folder.write_spec(spec)
        return folder

    def _supervise(self, folder: ContainerFolder) -> Status:
        command = [sys.executable, "-P", "-m", "shipwheel.engines.runc.supervisor", str(folder.home), folder.name]
        with (folder.path / "supervisor.log").open("wb") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        deadline = time.monotonic() + START_WITHIN
        while (status := folder.status()).phase == "starting":
            given_up = status.supervisor and not folder.supervised() and folder.status().phase == "starting"
            if given_up or time.monotonic() > deadline:
                said = (folder.path / "supervisor.log").read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise EngineError(f"the supervisor of '{folder.name}' gave up: {said[-1]}")
            time.sleep(POLL)
        return status


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncContainer:
    """A container by its folder."""

    folder: ContainerFolder

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    def state(self) -> State:
        """From the supervisor's notes; where it was killed, from the process itself."""
        spec, status = self._spec(), self.folder.status()
        running = status.phase != "ended" and (self.folder.supervised() or _alive(status))
        if not running and status.phase != "ended":
            status = self.folder.status()
        lost = not running and status.phase != "ended"
        return State(
            name=self.name,
            image=spec.image,
            running=running,
            created=datetime.fromtimestamp((self.folder.path / "spec.json").stat().st_mtime, UTC).isoformat(),
            exit_code=None if running else (137 if lost else status.exit_code),
            out_of_memory=status.out_of_memory,
            memory=spec.limits.memory or 0,
            gpus=str(spec.gpus or ""),
            error="its supervisor was killed" if lost else status.error,
            ports=status.ports,
            notes=status.notes,
        )

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """The lines without their times."""
        self._spec()
        with self.folder.log.open("rb") as log:
            lines = log.readlines() if tail is not None else []
            yield from (_unstamped(line) for line in (lines[-tail:] if tail else []))
            while True:
                ended = not follow or not self.state().running
                while line := log.readline():
                    yield _unstamped(line)
                if ended:
                    return
                time.sleep(POLL)

    def exec(self, command: Sequence[str], write: Callable[[bytes], object]) -> int:
        """`runc exec`, with the container's own user, environment and folder."""
        pid = self._running()
        process = subprocess.Popen(
            [*inside(pid), *self._runc(), "exec", self.folder.identity, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with process:
            assert process.stdout
            while piece := os.read(process.stdout.fileno(), 1 << 16):
                write(piece)
        return process.returncode

    def stop(self, within: float = STOP_WITHIN) -> None:
        """The image's stop signal, then SIGKILL; at once where process 1 has no handler and would never see the signal."""
        pid = self.folder.status().pid
        if not self.state().running:
            return
        number = self._stop_signal()
        if handles(pid, number):
            self._kill(pid, number)
            if self._ended(within):
                return
        self._kill(pid, signal.SIGKILL)
        if not self._ended(KILL_WITHIN):
            raise EngineError(f"'{self.name}' did not end", hint=f"see what process {pid} waits for")

    def remove(self) -> None:
        """Kill it, and forget its files; mounts went with its processes."""
        if not self.folder.path.exists():
            return
        status = self.folder.status()
        with suppress(EngineError):
            self.stop(within=0)
        subprocess.run(
            [*(inside(status.pid) if _alive(status) else []), *self._runc(), "delete", "--force", self.folder.identity],
            capture_output=True, check=False,
        )  # fmt: skip
        if os.getuid() == 0:
            remove_folder(self.folder.path)
            return
        command = [sys.executable, "-P", "-m", "shipwheel.engines.runc.supervisor", "--remove"]
        subprocess.run([*command, str(self.folder.home), self.name], check=False, capture_output=True)
        remove_folder(self.folder.path)

    def _spec(self) -> RunSpec:
        spec = self.folder.spec()
        if spec is None:
            raise EngineError(f"no container is named '{self.name}'", hint="'shipwheel ps' lists what runs")
        return spec

    def _runc(self) -> list[str]:
        return ["runc", "--root", str(Places(self.folder.home).state)]

    def _running(self) -> int:
        if not self.state().running:
            raise EngineError(f"'{self.name}' does not run", hint="'shipwheel ps' lists what runs")
        return self.folder.status().pid

    def _stop_signal(self) -> int:
        record = ImageRecord.read(self.folder.path / "image.json")
        text = str(record.config.get("StopSignal") or "SIGTERM") if record else "SIGTERM"
        if text.isdigit():
            return int(text)
        return int(getattr(signal, text if text.startswith("SIG") else f"SIG{text}", signal.SIGTERM))

    def _kill(self, pid: int, number: int) -> None:
        command = [*inside(pid), *self._runc(), "kill", self.folder.identity, str(number)]
        subprocess.run(command, capture_output=True, check=False)

    def _ended(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while self.state().running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True


def _alive(status: Status) -> bool:
    return status.pid > 0 and start_time(status.pid) == status.began > 0


def _unstamped(line: bytes) -> bytes:
    return line.partition(b" ")[2]
