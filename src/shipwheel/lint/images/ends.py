"""What gets no updates any more, by data/lint/eol.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

from shipwheel.lint.images.names import ImageFacts, ImageName, well_known
from shipwheel.lint.tables import date_of, table

TABLE = "eol.toml"

_NAMES = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "alpine": "Alpine",
    "centos": "CentOS",
    "centos-stream": "CentOS Stream",
    "ubi": "Red Hat UBI",
    "rockylinux": "Rocky Linux",
    "amazonlinux": "Amazon Linux",
    "fedora": "Fedora",
    "python": "Python",
    "tensorflow": "TensorFlow",
    "pytorch": "PyTorch",
    "airflow": "Airflow",
}


_WORDS = re.compile(r"[-_.+]?(ubuntu)[-_]?(\d\d)[._]?(04|10)(?!\d)|[a-z]+")
_PYTHON = re.compile(r"(?:^|[-_.])py(?:thon)?-?([23])\.?(\d{1,2})(?!\d)")
_ROS = re.compile(r"(?:osrf/)?ros2?(?:-[a-z-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A release that was over on the day of the table, such as "Debian buster", since when, and those that were not."""

    what: str
    since: date
    supported: tuple[str, ...]


def ended(facts: ImageFacts) -> list[Ended]:
    """What is over of that which an image holds: its distribution, its Python, its framework."""
    parts = [(facts.distribution, facts.release), ("python", facts.python)]
    parts.append((facts.framework, facts.framework_version.partition(".")[0]))
    found = (_ended(kind, release) for kind, release in parts if release)
    return [one for one in found if one]


def with_tag(facts: ImageFacts, image: ImageName) -> ImageFacts:
    """With what a tag names where nothing else is known of it: `tool:1.0-ubuntu18.04`, `ros:noetic`, `notebook:python-3.8`."""
    found = _PYTHON.search(image.tag.lower()) if not facts.python else None
    return _with_distribution(replace(facts, python=f"{found[1]}.{found[2]}") if found else facts, image)


def _with_distribution(facts: ImageFacts, image: ImageName) -> ImageFacts:
    """A name with Ubuntu in it says as much as a tag: `azureml/openmpi4.1.0-ubuntu18.04:20211012.v1`."""
    name = image.repository.rpartition("/")[2]
    text = f"{image.tag} {name}" if "ubuntu" in name else image.tag
    names = table("images.toml")["ubuntu"]
    ros = names["ros"] if _ROS.fullmatch(well_known(image.repository)) else {}
    for found in _WORDS.finditer("" if facts.distribution else text.lower()):
        if release := f"{found[2]}.{found[3]}" if found[1] else {**names["codenames"], **ros}.get(found[0], ""):
            return replace(facts, distribution="ubuntu", release=release)
        if found[0] in table(TABLE)["debian"] and found[0] != "source":
            return replace(facts, distribution="debian", release=found[0])
    return facts


def _ended(kind: str, release: str) -> Ended | None:
    today = date.fromisoformat(date_of(TABLE))
    ends = {name: end for name, end in table(TABLE).get(kind, {}).items() if isinstance(end, date)}
    if release not in ends or ends[release] >= today:
        return None
    supported = tuple(f"{_NAMES[kind]} {name}" for name, end in ends.items() if end >= today)
    return Ended(what=f"{_NAMES[kind]} {release}", since=ends[release], supported=supported)
