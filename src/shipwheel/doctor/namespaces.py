"""User namespaces: what containers of a user who is not root are made with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, ok, warning
from shipwheel.doctor.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Three switches, None where this kernel has not got one.

    `most` is user.max_user_namespaces (namespaces(7)); `clone` kernel.unprivileged_userns_clone, of Debian's and Arch's
    kernels; `apparmor` kernel.apparmor_restrict_unprivileged_userns, of Ubuntu's from 23.10 (discourse.ubuntu.com/t/37626).
    """

    most: int | None = None
    clone: int | None = None
    apparmor: int | None = None

    @classmethod
    def read(cls, where: Where) -> Namespaces:
        """As /proc/sys says."""
        return cls(
            most=where.number("/proc/sys/user/max_user_namespaces"),
            clone=where.number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor=where.number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        )

    @property
    def barred(self) -> bool:
        """Whether no user may have one."""
        return self.most == 0 or self.clone == 0

    @property
    def confined(self) -> bool:
        """Whether programs without a profile, as ours, may do nothing in theirs; Ubuntu's podman and crun have profiles."""
        return self.apparmor == 1


def check_namespaces(found: Namespaces) -> Iterator[Finding]:
    """For a user who is not root."""
    if found.most == 0:
        yield _barred("user.max_user_namespaces=28633")
    if found.clone == 0:
        yield _barred("kernel.unprivileged_userns_clone=1")
    if found.confined and not found.barred:
        yield warning(
            "user-namespaces",
            "AppArmor keeps programs without a profile from using user namespaces, so runc runs nothing for you",
            "use Docker or Podman, or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if not found.barred and not found.confined:
        yield ok("user-namespaces", "users may have them")


def _barred(setting: str) -> Finding:
    name = setting.partition("=")[0]
    return warning(
        "user-namespaces",
        f"users may have no namespaces ({name} is 0): rootless Podman, rootless Docker and runc run nothing for you",
        f"sudo sysctl {setting}, and in /etc/sysctl.d to keep it",
    )
