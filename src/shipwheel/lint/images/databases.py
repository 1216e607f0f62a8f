"""Databases, queues and model servers by their image: where their data lies, and how to ask whether they answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from shipwheel.lint.images.names import ImageName, well_known
from shipwheel.lint.tables import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An entry of data/lint/databases.toml. `paths`: folders of which one must be in a volume.

    `bare`: its image has no HEALTHCHECK. `test`: a command that answers whether it is ready.
    """

    name: str
    images: re.Pattern[str]
    test: str
    paths: tuple[str, ...] = ()
    since: int = 0
    setting: str = ""
    argument_after: str = ""
    durable_words: tuple[str, ...] = ()
    bare: bool = False

    def keeps(self, words: Sequence[str]) -> bool:
        """Whether its data is to outlive the container, by the command that it is given."""
        return not self.durable_words or any(word.partition("=")[0] in self.durable_words for word in words)


def database_of(image: ImageName) -> Database | None:
    """What an image is; None for any other, and where a variable hides it. A tag without a version means the newest."""
    repository = well_known(image.repository)
    fitting = [one for one in _table() if one.images.fullmatch(repository)]
    major = re.match(r"\d+", image.tag)
    newest = not major and not image.digest and "$" not in image.tag
    versions = [one for one in fitting if newest or not one.since or (major and int(major[0]) >= one.since)]
    return versions[-1] if versions else None


@cache
def _table() -> tuple[Database, ...]:
    data = table("databases.toml")
    return tuple(
        Database(
            name=raw["name"],
            images=re.compile("|".join(raw["images"])),
            test=raw["test"],
            paths=tuple(raw["paths"]),
            since=raw.get("since", 0),
            setting=raw.get("setting", ""),
            argument_after=raw.get("argument_after", ""),
            durable_words=tuple(raw.get("durable_words", ())),
            bare=raw.get("health") == "none",
        )
        for raw in data["database"]
    )
