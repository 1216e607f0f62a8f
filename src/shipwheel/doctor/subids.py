"""Ranges of users and groups that a user may have in containers: subuid(5), subgid(5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, ok, warning
from shipwheel.doctor.where import Where

ENOUGH = 65536
"""Users and groups that images may have: 16 bits of them."""

TOOLS = ("newuidmap", "newgidmap")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubIds:
    """How many further users and groups this user may have, and which of the programs that map them are absent."""

    users: int = 0
    groups: int = 0
    absent: tuple[str, ...] = ()

    @classmethod
    def read(cls, where: Where) -> SubIds:
        """As /etc/subuid and /etc/subgid say; both go by the user."""
        names = (where.user, str(where.uid))
        return cls(
            users=count(where.text("/etc/subuid"), names),
            groups=count(where.text("/etc/subgid"), names),
            absent=tuple(name for name in TOOLS if not where.program(name)),
        )


def count(text: str, names: Iterable[str]) -> int:
    """How many ids lines NAME:FIRST:COUNT give to one of these names, together."""
    rows = (line.split(":") for line in text.splitlines())
    return sum(int(row[2]) for row in rows if len(row) == 3 and row[0] in names and row[2].isdecimal())


def check_subids(found: SubIds, user: str) -> Iterator[Finding]:
    """For a user who is not root."""
    few = [name for name, number in (("/etc/subuid", found.users), ("/etc/subgid", found.groups)) if number < ENOUGH]
    if few:
        yield warning(
            "subids",
            f"you have fewer than {ENOUGH} ids in {' and '.join(few)}: images whose user is not root do not start rootless",
            f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}, then 'podman system migrate'",
        )
    if found.absent:
        yield warning(
            "subids",
            f"{' and '.join(found.absent)}: not there, so those ids cannot be used",
            "install uidmap (Debian, Ubuntu) or shadow-utils (Fedora)",
        )
    if not few and not found.absent:
        yield ok("subids", f"{found.users} users and {found.groups} groups for {user}")
