"""What runs in the container: the expression in the next file, then how it took part in each Debian package.

    python system_probe.py '{"libgl1": ["libGL.so.1", "cv2/cv2.abi3.so"], "graphviz": ["dot", ""]}'

The argument maps packages to what each is there for, and to a file of the environment that is said to need it, or to nothing.
Needs only Python itself.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import traceback
from pathlib import Path

MARK = "probe: "
STATUS = Path("/var/lib/dpkg/status.d")
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
CALLED: set[str] = set()


def main() -> None:
    """Print one line of JSON behind MARK: the error, if any, and by package how it was used and its files."""
    sys.addaudithook(_listen)
    code = (Path(__file__).parent / "expression.py").read_text()
    error = ""
    try:
        exec(compile(code, "expression.py", "exec"), {"__name__": "__main__"})
    except BaseException as problem:  # noqa: BLE001  # whatever it is, it is the answer
        traceback.print_exc()
        error = f"{type(problem).__name__}: {problem}"
    opened, packages = _opened(), {}
    for name, (wanted, needed_by) in json.loads(sys.argv[1]).items():
        files = _files(name)
        how = "opened" if files & opened else "called" if _is_called(wanted, files) else _loading(files, needed_by)
        packages[name] = {"how": how, "files": sorted(_loaded_or_called(files))}
    print(MARK + json.dumps({"error": error, "packages": packages}), flush=True)


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        CALLED.add(os.fsdecode(arguments[0]))  # type: ignore[arg-type]


def _opened() -> set[str]:
    """Files that are mapped into this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}


def _files(package: str) -> set[str]:
    lines = (STATUS / f"{package}.md5sums").read_text().splitlines()
    return {os.path.realpath(f"/{line.split(maxsplit=1)[1]}") for line in lines}


def _is_called(wanted: str, files: set[str]) -> bool:
    """Under the name for which the package is there, which may be a link, or as a file of it."""
    called = [found for each in CALLED if (found := shutil.which(each))]
    return any(Path(each).name == wanted or os.path.realpath(each) in files for each in called)


def _loading(files: set[str], needed_by: str) -> str:
    needed = needed_by and files & _needed(Path(sysconfig.get_path("platlib")) / needed_by)
    return f"{Path(needed_by).name} is not loaded without" if needed else ""


def _needed(path: Path) -> set[str]:
    """What the dynamic loader would open for a file (ld.so(8), --list)."""
    loader = next(each for each in LOADERS if Path(each).exists())
    said = subprocess.run([loader, "--list", path], capture_output=True, text=True, check=False).stdout
    return {os.path.realpath(line.split()[2]) for line in said.splitlines() if "=> /" in line}


def _loaded_or_called(files: set[str]) -> set[str]:
    """Those whose absence would be noticed: libraries and programs."""
    return {each for each in files if ".so" in each or "/bin/" in each}


if __name__ == "__main__":
    main()
