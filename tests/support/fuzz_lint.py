"""Mutates files and lints them; prints what ends in a traceback: `python tests/support/fuzz_lint.py SECONDS FOLDER...`."""

import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from shipwheel.lint.edits.fixing import fixed
from shipwheel.lint.linting import lint

PIECES = [
    *(
        b"\\\n",
        b"\\",
        b'"',
        b"'",
        b"`",
        b"$",
        b"${",
        b"${A:-",
        b"}",
        b"$(",
        b")",
        b"<<EOF\n",
        b"<<",
        b"[",
        b"]",
        b"{",
        b"#",
        b"\n",
        b"\r\n",
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        "é".encode(),
        "\u2003".encode(),
        b"--mount=",
        b"&& ",
        b"; ",
        b"|| true",
        b"& ",
        b": ",
        b"- ",
        b"\t",
    ),
    *(
        b"FROM ",
        b"RUN ",
        b"COPY ",
        b"ENV ",
        b"ONBUILD ",
        b"HEALTHCHECK CMD ",
        b'SHELL ["bash"]\n',
        b"ARG A=\n",
        b"pip install ",
        b"# escape=`\n",
    ),
]


def mutated(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Some bytes removed, doubled, replaced, put in, or taken from another file."""
    for _ in range(dice.randint(1, 6)):
        at = dice.randint(0, len(data))
        end = min(len(data), at + dice.choice([1, 3, 20, 200]))
        kind = dice.randrange(5)
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:end] + data[at:]
        elif kind == 2:
            data = data[:at] + dice.choice(PIECES) + data[at:]
        elif kind == 3:
            data = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
        else:
            start = dice.randint(0, len(other))
            data = data[:at] + other[start : start + 100] + data[end:]
    return data


def rounds(folders: list[Path], seconds: float, seed: int) -> Iterator[bytes]:
    """Files of a kind, one mutation after the other."""
    dice = random.Random(seed)
    files = [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*ockerfile*")) if path.is_file()]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield mutated(dice.choice(files), dice.choice(files), dice)


def main(seconds: str, *folders: str) -> int:
    """The number of files that ended in a traceback; they stay in the folder that is printed."""
    failed = count = 0
    keep = Path(tempfile.mkdtemp(prefix="fuzz-lint-"))
    slowest = (0.0, b"")
    for data in rounds([Path(folder) for folder in folders], float(seconds), seed=1):
        (keep / "Dockerfile").write_bytes(data)
        count += 1
        start = time.monotonic()
        try:
            found = lint([keep / "Dockerfile"], root=keep).findings
            fixed(found[0].source.text, found) if found else None
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            failed += 1
            (keep / f"failed-{failed}").write_bytes(data)
            traceback.print_exc(limit=-3)
        slowest = max(slowest, (time.monotonic() - start, data))
    (keep / "slowest").write_bytes(slowest[1])
    print(f"{count} files, {failed} tracebacks, the slowest took {slowest[0]:.2f} s; they are in {keep}")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
