"""uv is found, whoever asks first."""

import subprocess
import sys

ASK = """
import sys, threading
from pathlib import Path
from shipwheel.resolve.uv import Uv
import uv
sys.setswitchinterval(1e-6)
start, found = threading.Barrier(8), []
def ask():
    start.wait()
    found.append(Uv(folder=Path("."), env={}).run(["--version"]).returncode)
threads = [threading.Thread(target=ask) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
print(found)
"""


def test_several_threads_may_be_the_first_to_ask() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([0] * 8), done.stderr
