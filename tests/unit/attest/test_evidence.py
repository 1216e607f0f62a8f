"""What is gathered of a build."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shipwheel.attest.evidence import decode, encode, gather
from shipwheel.hashes import Hashes
from shipwheel.lock import ModelFile
from shipwheel.project import load_project
from support.cargo import make_script
from support.evidence import LOCK

OPTIONS = {"bytecode": True}


def test_settings_that_were_set_are_parameters_and_no_others(tmp_path: Path) -> None:
    folder = make_script(tmp_path / "app")
    (folder / "shipwheel.toml").write_text(
        'port = 9000\nsystem-packages = ["ffmpeg"]\ndebian-mirror = "http://mirror.example.org"\nenv = { TOKEN = "secret" }\n'
    )
    kept = decode(encode(gather(load_project(folder), LOCK, None, Hashes(tmp_path).sha256, OPTIONS)))
    assert kept.parameters == {"settings": {"port": 9000, "system-packages": ["ffmpeg"]}, "bytecode": True}
    assert b"secret" not in encode(kept)
    assert b"mirror.example.org" not in encode(kept)


def test_a_model_that_nothing_pins_is_hashed(tmp_path: Path) -> None:
    folder = make_script(tmp_path / "app")
    (folder / "model.joblib").write_bytes(b"weights")
    evidence = gather(load_project(folder), LOCK, None, Hashes(tmp_path).sha256, OPTIONS)
    assert evidence.model == (ModelFile(path="model.joblib", sha256=hashlib.sha256(b"weights").hexdigest(), size=7),)
