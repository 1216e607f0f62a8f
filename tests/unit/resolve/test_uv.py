"""uv is found, whoever asks first; what it says gets a hint."""

import subprocess
import sys

from shipwheel.resolve.uv import failure

ASK = """
import sysconfig, threading, time
from pathlib import Path
from shipwheel.resolve.uv import Uv

read = getattr(sysconfig, "_init_posix", None)
def slowly(values):
    time.sleep(0.2)
    read(values)
sysconfig._init_posix = slowly

found = []
def ask():
    found.append(Uv(folder=Path("."), env={}).run(["--version"]).returncode)
threads = [threading.Thread(target=ask) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
print(found)
"""


def test_several_threads_may_be_the_first_to_ask() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, 0, 0, 0]", done.stderr


def test_a_cache_that_cannot_be_made_gets_a_hint() -> None:
    said = "error: Failed to initialize cache at `/root/.cache/uv`\n  cause: Permission denied (os error 13)"
    assert failure("the requirements cannot be resolved", said).hint == "set UV_CACHE_DIR to a folder of your own"


def test_a_backend_that_uv_does_not_know_is_named_where_a_user_sets_it() -> None:
    said = "error: invalid value 'x' for '--torch-backend <X>'\n  [possible values: cpu]\nFor more information, try '--help'.\n"
    found = failure("the requirements cannot be resolved", said)
    assert "--help" not in found.message
    assert found.hint == "UV_TORCH_BACKEND, or torch-backend in uv's settings, has it"
