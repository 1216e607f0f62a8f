"""Why a container died, in one sentence, from what the engine and its last log lines say."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from shipwheel.engines.engine import State
from shipwheel.engines.gpus import NVIDIA, SPECIFY
from shipwheel.errors import ContainerError

_KILLED = 128 + signal.SIGKILL
_MORE_MEMORY = "give it more with --memory, or load less"

LAST_LINES = 20
"""Log lines read for the reason, and shown with it: a Python traceback of the usual depth fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """A pattern in an engine's message or a log; `{0}` in the texts is its first group that matched."""

    pattern: re.Pattern[str]
    sentence: str
    hint: str


_PORT = _Cause(
    pattern=re.compile(
        r":(\d+)(?: failed)?: (?:bind: )?(?:address already in use|port is already allocated)"
        r"|, (\d+)\): (?:\[errno 98\] )?address already in use|address already in use",
        re.IGNORECASE,
    ),
    sentence="port {0} is taken",
    hint="stop what listens there, or choose another host port: -p OTHER:CONTAINER",
)
_COMMAND = _Cause(
    pattern=re.compile(
        r"exec:? \\?[\"']?([^\"'\\:\s]+)\\?[\"']?: (?:executable file not found|stat [^:]*: no such file|no such file)"
        r"|executable file [`'\"]?([^`'\"\s]+)[`'\"]? not found"
    ),
    sentence="the command '{0}' is not in the image",
    hint="check the command, or the entrypoint and PATH of the image",
)
_NOT_EXECUTABLE = _Cause(
    pattern=re.compile(r"exec:? \\?[\"']?([^\"'\\:\s]+)\\?[\"']?: permission denied"),
    sentence="the command '{0}' is not executable",
    hint="chmod +x the file and build again",
)
_PROCESSOR = _Cause(
    pattern=re.compile(r"exec \\?[\"']?([^\"'\\:\s]+)\\?[\"']?: exec format error"),
    sentence="'{0}' is for another processor than this machine's",
    hint="build with --platform for this machine; 'shipwheel images' shows what an image is for",
)
_MODULE = _Cause(
    pattern=re.compile(r"ModuleNotFoundError: No module named '([^']+)'"),
    sentence="the module '{0}' is missing in the image",
    hint="add the package that provides it to the requirements, then lock and build again",
)
_LIBRARY = _Cause(
    pattern=re.compile(r"(?:ImportError|OSError): (\S+\.so[.\d]*): cannot open shared object file"),
    sentence="the shared library '{0}' is missing in the image",
    hint="lock and build again; if it is opened by name, add its Debian package to system-packages before",
)
_SHELL = _Cause(
    pattern=re.compile(r"No such file or directory: '/bin/sh'"),
    sentence="it calls a shell, and the image has none",
    hint="set shell = true in the settings, then lock and build again",
)
_PROGRAM = _Cause(
    pattern=re.compile(r"No such file or directory: '([\w+-]+)'"),
    sentence="'{0}' is missing in the image",
    hint="if it is a program, add its Debian package to system-packages, then lock and build again",
)
_READ_ONLY = _Cause(
    pattern=re.compile(r"Read-only file system: '([^']+)'|([^\s:']+): Read-only file system"),
    sentence="it may not write '{0}': the file system is read-only",
    hint="write below /tmp, or mount a volume there: -v SOURCE:TARGET",
)
_DENIED = _Cause(
    pattern=re.compile(r"Permission denied: '([^']+)'|([^\s:']+): Permission denied"),
    sentence="it may not touch '{0}': permission denied",
    hint="files of the image belong to root; write below /tmp or to a volume that the container's user owns",
)
_TOOLKIT = "install the GPU's driver and the NVIDIA Container Toolkit"
_NO_GPU = "without a GPU leave out --gpus"
UNSERVED = re.compile(r"could not select device driver|failed to discover GPU vendor")
"""What Docker says where none of its drivers takes a request for GPUs."""

_UNSERVED = _Cause(
    pattern=UNSERVED,
    sentence="the engine knows no way to GPUs",
    hint=f"{_TOOLKIT}, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker; {_NO_GPU}",
)
_UNKNOWN_GPU = _Cause(
    pattern=re.compile(r"unresolvable CDI devices ([^\s,\"\\]+)|device error: (\S+): unknown device"),
    sentence="the machine offers no GPU '{0}'",
    hint=f"'nvidia-ctk cdi list' and 'nvidia-smi -L' show its GPUs. If none: {_TOOLKIT}, then: {SPECIFY[NVIDIA]}; {_NO_GPU}",
)
_NO_DRIVER = _Cause(
    pattern=re.compile(r"nvidia-container-cli: initialization error|nvml error: driver not loaded|ERROR_LIBRARY_NOT_FOUND"),
    sentence="the NVIDIA driver is not there, or not loaded",
    hint=f"nvidia-smi on the machine says more; {_NO_GPU}",
)
_OLD_DRIVER = _Cause(
    pattern=re.compile(r"requirement error: unsatisfied condition: ([a-z]+ ?[<>=]+ ?[\d.]+)"),
    sentence="the image needs {0}, and the machine's driver does not offer it",
    hint="update the driver, or build with packages for an older CUDA",
)
_STALE = _Cause(
    pattern=re.compile(
        r"failed to stat CDI host device \\?\"([^\"\\]+)|hook #\d+:? fork/exec ([^\s:]+): no such file"
        r"|error mounting \\?\"([^\"\\]+)\\?\" to rootfs[^\n]*no such file|cannot stat `([^`]+)`: No such file"
    ),
    sentence="'{0}' is not on the machine, where it should be taken from",
    hint=f"if it belongs to a GPU, the driver or toolkit has changed since: {SPECIFY[NVIDIA]}",
)
_CUDA = _Cause(
    pattern=re.compile(
        r"CUDA driver version is insufficient|Found no NVIDIA driver|no CUDA-capable device is detected"
        r"|libcuda\.so\.1: cannot open shared object file"
    ),
    sentence="CUDA finds no GPU, or a driver that is too old",
    hint="give it the GPUs with --gpus all; 'shipwheel doctor' says whether the driver is new enough",
)
_CPU_BUILD = _Cause(
    pattern=re.compile(r"Torch not compiled with CUDA enabled"),
    sentence="its torch is a build for the CPU",
    hint='set accelerator = "cuda" in the settings, then lock and build again',
)
_NO_KERNEL = _Cause(
    pattern=re.compile(r"no kernel image is available for execution on the device"),
    sentence="a library has no code for this GPU",
    hint="'shipwheel gpu check --device NAME' says on which GPUs the image runs",
)
_GPU = (_UNSERVED, _UNKNOWN_GPU, _OLD_DRIVER, _NO_DRIVER, _STALE)
_AT_START = (*_GPU, _PORT, _COMMAND, _NOT_EXECUTABLE, _PROCESSOR)
_CALLS = (_CUDA, _CPU_BUILD, _NO_KERNEL, _MODULE, _LIBRARY, _SHELL, _PROGRAM)
_IN_LOG = (*_CALLS, _PORT, _READ_ONLY, _DENIED, _COMMAND, _PROCESSOR)


def refused(name: str, message: str) -> ContainerError | None:
    """The error for a container that the engine could not start, if `message` says why in words that we know."""
    found = _find(_AT_START, message)
    return ContainerError(f"container '{name}' did not start: {found[0]}", hint=found[1]) if found else None


def died(state: State, log: str, *, while_waiting: bool = False) -> ContainerError:
    """The error for a container that ended by itself: one sentence on why, and its last lines as the field `log`."""
    sentence, hint = _reason(state, log, while_waiting)
    return ContainerError(
        f"container '{state.name}' died: {sentence}", hint=hint, exit_code=state.exit_code or 0, reason=sentence, log=log
    )


def _reason(state: State, log: str, while_waiting: bool) -> tuple[str, str]:
    if state.out_of_memory:
        return "killed for memory", _MORE_MEMORY
    last = "\n".join(log.splitlines()[-LAST_LINES:])
    found = _find(_AT_START, state.error) or (_find(_IN_LOG, last) if state.exit_code else None)
    if found:
        return found
    if state.error:
        return state.error, ""
    if state.exit_code == _KILLED and state.memory:  # Podman does not notice every such kill
        return f"killed, most likely for memory (its limit is {state.memory >> 20} MiB)", _MORE_MEMORY
    if state.exit_code == 0 and while_waiting:
        return "it ended with exit code 0 before it answered", "a service keeps running; without -p it may end"
    return _exit(state.exit_code or 0), ""


def _exit(code: int) -> str:
    if 128 < code < 128 + 65:
        try:
            return f"ended by {signal.Signals(code - 128).name} (exit code {code})"
        except ValueError:
            pass
    return f"exit code {code}"


def _find(causes: tuple[_Cause, ...], text: str) -> tuple[str, str] | None:
    for cause in causes:
        matches = list(cause.pattern.finditer(text))
        if matches:
            subject = next((group for group in matches[-1].groups() if group), "")
            return cause.sentence.format(subject).replace("port  is", "a port is"), cause.hint
    return None
