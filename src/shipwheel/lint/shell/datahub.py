"""What commands download of data: from DVC, Kaggle, stores and plain addresses, as far as names say."""

from __future__ import annotations

import re

from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.modelhub import names_model, pulled_by_dvc
from shipwheel.lint.shell.stores import copied_from_store
from shipwheel.lint.wording import listed

_FILE = re.compile(
    r"(?<!nltk[-_])(?<![A-Za-z])(?:data|datasets?|training|train|corpus)(?:[-_.][\w.-]*)?"
    r"\.(?:zip|tgz|tar|tar\.\w+|7z|parquet|csv|tsv|jsonl)$",
    re.I,
)
_FOLDER = re.compile(r"(?:^|/)(?:data|datasets?)(?:/(?:raw|processed|external|interim|train))?/?$", re.I)


def fetched_data(command: Command) -> str:
    """What of data a command brings, for a message; "" for nothing."""
    words = [word.text for word in command.arguments if not word.text.startswith("-")]
    if command.program == "dvc":
        targets = pulled_by_dvc(command)
        data = [word.text.removesuffix(".dvc") for word in targets or () if not names_model(word.text)]
        return listed(data) or ("all that DVC tracks" if targets == [] else "")
    if command.program == "kaggle":
        return "what Kaggle has" if words[:1] != ["kernels"] and "download" in words[:2] else ""
    if places := copied_from_store(command):
        return _of_store([word.text for word in places])
    if command.program in ("wget", "curl", "aria2c", "gdown"):
        names = [word.partition("?")[0].rpartition("/")[2] for word in words if "://" in word or command.program == "gdown"]
        return listed(name for name in names if _FILE.search(name))
    return ""


def _of_store(places: list[str]) -> str:
    """`gsutil cp -r gs://bucket/processed data/`: what is copied to a folder of data, or from one."""
    if len(places) < 2 or "://" in places[1]:
        return ""
    return places[0] if _FOLDER.search(places[1]) or _FOLDER.search(places[0].rstrip("*")) else ""
