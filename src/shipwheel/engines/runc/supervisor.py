"""The process beside each runc container: mounts, starts, logs, proxies ports, notes how it ended.

`python -m shipwheel.engines.runc.supervisor HOME NAME` is started by `RuncEngine.run`, detaches itself, and lives as long
as the container. What it mounts lies in its own mount namespace, so that even `kill -9` leaves nothing mounted.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from shipwheel.engines.runc.bundle import Setting, User, config_json
from shipwheel.engines.runc.cgroups import cgroup_path, counts_swap, kills, memory_events
from shipwheel.engines.runc.linux import adopt_orphans, private_mounts, start_time
from shipwheel.engines.runc.outbound import NOTE, Outbound
from shipwheel.engines.runc.places import ContainerFolder, ImageRecord, Places, Status, read_json, write_json
from shipwheel.engines.runc.proxy import Proxy, listen
from shipwheel.engines.runc.rootfs import ensure_folder, find_user, mount_root, remove_folder
from shipwheel.engines.runc.userns import become_root, is_mapped
from shipwheel.engines.spec import Port, RunSpec
from shipwheel.errors import EngineError

LINE_LIMIT = 1 << 16
"""Bytes after which a line of the log is cut: a progress bar that never ends its line must not fill the memory."""

DRAIN_WITHIN = 2.0
"""Seconds for the last output after the first process has ended."""

NO_RANGES = "runs as your own user: newuidmap, or your range in /etc/subuid, is missing"

HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{name}\n"


def main(home: str, name: str) -> None:
    """Detach, then run the container to its end."""
    if os.fork():
        os._exit(0)
    os.setsid()
    folder = Places(Path(home)).container(name)
    lock = folder.supervise()
    try:
        _Supervisor(folder).run()
    finally:
        os.close(lock)


def remove(home: str, name: str) -> None:
    """Remove a container's folder, as the root of a user namespace where its files belong to users of one."""
    if os.getuid() != 0:
        become_root()
    remove_folder(Places(Path(home)).container(name).path)


@dataclass(slots=True)
class _Running:
    """What must be ended with the container."""

    pid: int
    outbound: subprocess.Popen[bytes] | None
    memory: Path | None


class _Supervisor:
    def __init__(self, folder: ContainerFolder) -> None:
        spec, image = folder.spec(), read_json(folder.path / "image.json")
        if spec is None or image is None:
            raise EngineError(f"{folder.path} holds no container")
        self._folder = folder
        self._spec: RunSpec = spec
        self._record = ImageRecord(config=image["config"], diff_ids=tuple(image["diff_ids"]))
        self._places = Places(folder.home)
        self._status = Status(supervisor=os.getpid())
        self._nested = os.getuid() != 0
        self._runc = ["runc", "--root", str(self._places.state)]

    def run(self) -> None:
        """From nothing to the end, in order; a failure before the start is the container's `error`."""
        signal.signal(signal.SIGTERM, self._terminate)
        try:
            listeners = [(listen(port), port) for port in self._spec.published]
            self._note(ports=self._actual_ports(listeners))
            outbound = self._prepare()
            reader, writer = os.pipe()
            running = self._start(writer, outbound)
        except (OSError, EngineError, subprocess.CalledProcessError) as error:
            self._note(phase="ended", exit_code=127, error=_words(error))
            return
        Proxy([(each, port.container) for each, port in listeners], running.pid).start()
        self._note(phase="running", pid=running.pid, began=start_time(running.pid))
        log = threading.Thread(target=self._log, args=(os.fdopen(reader, "rb", buffering=0),), daemon=True)
        log.start()
        code = _wait(running.pid)
        memory = kills(running.memory)
        self._clean(running)
        log.join(DRAIN_WITHIN)
        self._note(phase="ended", pid=0, exit_code=code, out_of_memory=bool(memory and code))

    def _actual_ports(self, listeners: Sequence[tuple[socket.socket, Port]]) -> tuple[Port, ...]:
        """The spec's ports with the host's numbers that were found; with its network, the container's own."""
        if self._spec.network == "host":
            return tuple(replace(port, host=port.container, ip="") for port in self._spec.ports)
        return tuple(replace(port, host=each.getsockname()[1]) for each, port in listeners)

    def _prepare(self) -> Outbound:
        """Namespaces, mounts and config.json."""
        adopt_orphans()
        if self._nested:
            become_root()
        private_mounts()
        layers = [self._places.unpacked / each for each in self._record.diff_ids]
        mount_root(self._folder.path, layers, ",userxattr" if self._nested else "")
        user = self._mapped(find_user(self._spec.user or str(self._record.config.get("User") or ""), layers))
        ensure_folder(self._folder.bundle / "rootfs", self._record.config.get("WorkingDir") or "/", user)
        outbound = Outbound.find(self._spec.network)
        if not outbound.program and self._spec.network not in ("host", "none"):
            self._note(notes=(*self._status.notes, NOTE))
        setting = Setting(
            user=user,
            cgroup="" if self._nested else cgroup_path(self._folder.identity),
            files=self._files(outbound),
            volumes=tuple(self._volume(volume.source, volume.is_path) for volume in self._spec.volumes),
            nested=self._nested,
            swap_counted=counts_swap(),
        )
        config = config_json(self._record, self._spec, setting)
        if self._folder.edits.exists():
            from shipwheel.engines.runc.cdi import edits_from_json
            from shipwheel.engines.runc.edits import edit

            edit(config, edits_from_json(self._folder.edits.read_bytes()), nested=self._nested)
        write_json(self._folder.bundle / "config.json", config)
        return outbound

    def _mapped(self, user: User) -> User:
        """The user, or where this namespace knows but one, that one: the caller outside."""
        if is_mapped(user.uid) and is_mapped(user.gid):
            return user
        self._note(notes=(*self._status.notes, NO_RANGES))
        return replace(user, uid=0, gid=0)

    def _volume(self, source: str, is_path: bool) -> Path:
        if is_path:
            return Path(source)
        path = self._places.volume(source)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _files(self, outbound: Outbound) -> dict[str, Path]:
        """/etc/hosts, resolv.conf and hostname, which differ between containers of one image."""
        texts = {
            "hosts": HOSTS.format(name=self._spec.name[:63]),
            "resolv.conf": outbound.resolv_conf(),
            "hostname": self._spec.name[:63] + "\n",
        }
        for name, text in texts.items():
            path = self._folder.path / name
            path.write_text(text)
            path.chmod(0o644)
        return {f"/etc/{name}": self._folder.path / name for name in texts}

    def _start(self, output: int, outbound: Outbound) -> _Running:
        """Create, connect and start; `output`, the container's end of the log's pipe, is closed here."""
        pid_file = self._folder.path / "pid"
        try:
            self._call("create", "--bundle", str(self._folder.bundle), "--pid-file", str(pid_file), output=output)
        finally:
            os.close(output)
        pid = int(pid_file.read_text())
        memory = memory_events(pid)
        with (self._folder.path / "outbound.log").open("wb") as log:
            running = _Running(pid=pid, outbound=outbound.start(pid, log.fileno()), memory=memory)
        try:
            self._call("start")
        except EngineError:
            self._clean(running)
            _wait(pid)
            raise
        return running

    def _call(self, verb: str, *flags: str, output: int = subprocess.DEVNULL) -> None:
        """One runc command for this container; its complaint is the last line of its log."""
        log = self._folder.path / "runc.log"
        command = [*self._runc, "--log", str(log), "--log-format", "json", verb, *flags, self._folder.identity]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
        if done.returncode:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            raise EngineError(json.loads(lines[-1])["msg"] if lines else f"runc {verb} ended with {done.returncode}")

    def _clean(self, running: _Running) -> None:
        subprocess.run([*self._runc, "delete", "--force", self._folder.identity], capture_output=True, check=False)
        if running.outbound:
            running.outbound.kill()
            running.outbound.wait()

    def _log(self, stream: BinaryIO) -> None:
        """Lines as they come, each behind its time (RFC 3339, UTC)."""
        pending = b""
        with self._folder.log.open("ab", buffering=0) as log, stream:
            while piece := stream.read(LINE_LIMIT):
                *lines, pending = (pending + piece).split(b"\n")
                if len(pending) > LINE_LIMIT:
                    lines, pending = [*lines, pending], b""
                if lines:
                    log.write(b"".join(_stamped(line) for line in lines))
            if pending:
                log.write(_stamped(pending)[:-1])

    def _terminate(self, _number: int, _frame: object) -> None:
        """The machine shuts down: pass it on, the rest follows from the container's end."""
        if self._status.pid:
            with suppress(ProcessLookupError):
                os.kill(self._status.pid, signal.SIGTERM)

    def _note(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        self._folder.write_status(self._status)


def _stamped(line: bytes) -> bytes:
    return datetime.now(UTC).isoformat(timespec="milliseconds").encode() + b" " + line + b"\n"


def _wait(pid: int) -> int:
    """The exit code of a child or adopted orphan, 128 + N for a signal as shells and engines have it."""
    while True:
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            return 255
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code


def _words(error: Exception) -> str:
    if isinstance(error, EngineError):
        return f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, FileNotFoundError) and not shutil.which("runc"):
        return "runc is not installed"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


if __name__ == "__main__":
    (remove if sys.argv[1] == "--remove" else main)(*sys.argv[-2:])
