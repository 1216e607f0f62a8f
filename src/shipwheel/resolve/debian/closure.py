"""The closure: what a set of Debian packages needs to run, without what only maintainer scripts need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from shipwheel.errors import ResolveError
from shipwheel.lock import Deb
from shipwheel.resolve.debian.index import DebIndex, Stanza, provided_names

_SCRIPTS = "runs in maintainer scripts only, and none run"
_SYSTEM = "manages a booted system; a container has one process"
_PERL = "programs of git that few call (send-email, request-pull, instaweb) are written in it"
_BASE = "the base holds the interpreter itself; this only adds helpers for installing Debian's own Python packages"

NOT_FOLLOWED: Mapping[str, str] = MappingProxyType(
    {
        "adduser": _SCRIPTS,
        "awk": "base-files' scripts use it",
        "bash": "a shell: named explicitly where it is wanted",
        "cdebconf": _SCRIPTS,
        "dash": "a shell: named explicitly where it is wanted",
        "debconf": _SCRIPTS,
        "debconf-2.0": _SCRIPTS,
        "debianutils": "helpers of maintainer scripts; with a shell, run-parts and which",
        "default-logind": _SYSTEM,
        "default-dbus-system-bus": _SYSTEM,
        "dbus": _SYSTEM,
        "dpkg": "no package manager runs in the image",
        "git -> git-man": "manuals",
        "git -> liberror-perl": _PERL,
        "git -> perl": _PERL,
        "init-system-helpers": _SYSTEM,
        "install-info": _SCRIPTS,
        "libgbm1 -> mesa-libgallium": "for a display's or GPU's own memory; what draws with it (EGL) depends on both",
        "libglx0 -> libglx-mesa0": "draws GL without a GPU onto an X display; NVIDIA's driver brings its own",
        "libpam-systemd": _SYSTEM,
        "logind": _SYSTEM,
        "lsb-base": _SYSTEM,
        "mawk": "base-files' scripts use it",
        "openssl": "ca-certificates' script hashes certificates with it; the library is libssl",
        "passwd": _SCRIPTS,
        "python3": _BASE,
        "python3-minimal": _BASE,
        "python3-pip-whl": "ensurepip's wheels: packages are installed when the image is built",
        "python3-setuptools-whl": "ensurepip's wheels: packages are installed when the image is built",
        "python3.11": _BASE,
        "python3.13": _BASE,
        "systemd": _SYSTEM,
        "systemd-sysv": _SYSTEM,
        "sysvinit-utils": _SYSTEM,
        "ucf": _SCRIPTS,
        "x11-common": "the scripts of an X session, and its folders; a library never reads them",
    }
)
"""Dependencies that are not followed, each with its reason; `a -> b`: those of `a` on `b`.

A package that is named itself, or that another depends on, is taken all the same.
"""

_FOLLOWED_WITH = MappingProxyType({"libglx-mesa0": "xserver"})
"""What is not followed, but for a set that has this: Xvfb in the image is an X display to draw onto."""

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def resolve_debs(
    index: DebIndex,
    names: Iterable[str] | Mapping[str, str],
    *,
    present: Sequence[Deb] = (),
    skip: Mapping[str, str] = NOT_FOLLOWED,
    follow: bool = True,
) -> tuple[Deb, ...]:
    """The packages `names` and all that they depend on (Pre-Depends, Depends; no Recommends), sorted by name.

    A mapping gives each name a reason; a dependency's is the first package that depends on it. `present` are there already
    (the base under system packages): used, not returned. With `follow` off, the names only. An alternative that is in the set
    wins, else the first that can be had (policy 7.1).

    Raises:
        ResolveError: an unknown name, a dependency that nothing satisfies, packages that conflict.
    """
    closure = _Closure(index, skip)
    for deb in present:
        closure.put(_locked(index, deb))
    reasons = names if isinstance(names, Mapping) else dict.fromkeys(names, "")
    closure.take([(_named(index, name), reason) for name, reason in reasons.items()], follow)
    closure.check_conflicts()
    held = {deb.name for deb in present}
    return tuple(_deb(stanza, closure.reasons[name]) for name, stanza in sorted(closure.chosen.items()) if name not in held)


class _Closure:
    """The set while it grows: packages by name, and what they provide."""

    def __init__(self, index: DebIndex, skip: Mapping[str, str]) -> None:
        self._index, self._skip = index, skip
        self._provided: dict[str, list[tuple[Stanza, str]]] = {}
        self.chosen: dict[str, Stanza] = {}
        self.reasons: dict[str, str] = {}

    def put(self, stanza: Stanza, reason: str = "") -> None:
        """Add one package, not what it needs."""
        self.chosen[stanza.name], self.reasons[stanza.name] = stanza, reason
        for virtual, version in {**provided_names(stanza), stanza.name: stanza.version}.items():
            self._provided.setdefault(virtual, []).append((stanza, version))

    def take(self, wanted: Iterable[tuple[Stanza, str]], follow: bool) -> None:
        """Add packages and, breadth first, what they need; all names that were asked for come before any dependency."""
        queue = []
        for stanza, reason in wanted:
            if stanza.name not in self.chosen:
                self.put(stanza, reason)
                queue.append(stanza)
        while follow and queue:
            stanza = queue.pop(0)
            for group in _relations(stanza, "Pre-Depends", "Depends"):
                needed = self._need(group, stanza)
                if needed:
                    self.put(needed, f"{stanza.name} depends on it")
                    queue.append(needed)

    def check_conflicts(self) -> None:
        """Conflicts and Breaks among the chosen (policy 7.3, 7.4); a package does not conflict with itself."""
        for stanza in self.chosen.values():
            for group in _relations(stanza, "Conflicts", "Breaks"):
                for relation in group:
                    for other, version in self._provided.get(relation["name"], ()):
                        if other is not stanza and _fits(relation, version):
                            raise ResolveError(
                                f"Debian packages '{stanza}' and '{other}' conflict, and cannot stand in one image",
                                hint="take one of them out of system-packages",
                            )

    def _need(self, group: list[dict[str, Any]], by: Stanza) -> Stanza | None:
        """What must be added to satisfy `a | b | c`: None if nothing."""
        if any(self._has(relation) for relation in group):
            return None
        for relation in group:
            if self._skipped(relation["name"], by.name):
                return None
            found = _candidate(self._index, relation)
            if found:
                if found.name in self.chosen:
                    raise ResolveError(
                        f"Debian package '{by}' needs '{_text([relation])}', but '{self.chosen[found.name]}' is in the image",
                        hint="lock again with --upgrade, so that all packages come from one index",
                    )
                return found
        raise ResolveError(
            f"Debian package '{by}' needs '{_text(group)}': not in {self._index.suite} for {self._index.architecture}",
            hint="the mirror may be incomplete: try another, or leave the package out of system-packages",
        )

    def _skipped(self, name: str, by: str) -> bool:
        if _FOLLOWED_WITH.get(name) in self._provided:
            return False
        return name in self._skip or f"{by} -> {name}" in self._skip

    def _has(self, relation: dict[str, Any]) -> bool:
        return any(_fits(relation, version) for _, version in self._provided.get(relation["name"], ()))


def _relations(stanza: Stanza, *fields: str) -> Iterator[list[dict[str, Any]]]:
    """Each `a | b` of these fields, as a list of alternatives with name and version."""
    from debian.deb822 import PkgRelation

    for field in fields:
        if stanza.fields.get(field):
            yield from PkgRelation.parse_relations(stanza.fields[field])  # type: ignore[misc]


def _fits(relation: dict[str, Any], version: str) -> bool:
    """Does `version` ("": a provider that says none, which no versioned relation accepts) satisfy the relation?"""
    if not relation.get("version"):
        return True
    if not version:
        return False
    from debian.debian_support import Version

    operator, wanted = relation["version"]
    have, limit = Version(version), Version(wanted)
    return bool(
        {
            "<<": have < limit,
            "<": have <= limit,
            "<=": have <= limit,
            "=": have == limit,
            ">=": have >= limit,
            ">": have >= limit,
        }.get(operator, have > limit)
    )


def _candidate(index: DebIndex, relation: dict[str, Any]) -> Stanza | None:
    """The package of that name, highest version first, else what provides it: the most important, then by name."""
    best = index.best(relation["name"])
    if best and _fits(relation, best.version):
        return best
    providers = [
        stanza for stanza in index.providers(relation["name"]) if _fits(relation, provided_names(stanza)[relation["name"]])
    ]
    return min(providers, key=_importance, default=None)


def _importance(stanza: Stanza) -> int:
    priority = stanza.fields.get("Priority", "optional")
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)


def _named(index: DebIndex, name: str) -> Stanza:
    """The package that the user means: by name, or the only one that provides it."""
    found = index.best(name)
    if found:
        return found
    providers = index.providers(name)
    if len(providers) == 1:
        return providers[0]
    if providers:
        offered = ", ".join(stanza.name for stanza in providers)
        raise ResolveError(f"Debian package '{name}' is virtual in {index.suite}", hint=f"name one that provides it: {offered}")
    near = get_close_matches(name, index.names, n=4, cutoff=0.75)
    hint = f"did you mean {', '.join(near)}?" if near else "look for it at https://packages.debian.org"
    raise ResolveError(f"Debian {index.suite} has no package '{name}' for {index.architecture}", hint=hint)


def _locked(index: DebIndex, deb: Deb) -> Stanza:
    """A package that is there already: as the index has it, or by name and version only if the index has moved on."""
    same = (stanza for stanza in index.versions(deb.name) if stanza.version == deb.version)
    return next(same, Stanza(fields={"Package": deb.name, "Version": deb.version}, archive=deb.archive))


def _deb(stanza: Stanza, reason: str) -> Deb:
    try:
        return Deb(
            name=stanza.name,
            version=stanza.version,
            architecture=stanza.fields["Architecture"],
            filename=stanza.fields["Filename"],
            sha256=stanza.fields["SHA256"],
            size=int(stanza.fields["Size"]),
            archive=stanza.archive,
            reason=reason,
        )
    except (KeyError, ValueError) as error:
        raise ResolveError(f"the Debian index describes '{stanza.name}' without a proper {error}") from None


def _text(group: list[dict[str, Any]]) -> str:
    return " | ".join(
        relation["name"] + (f" ({relation['version'][0]} {relation['version'][1]})" if relation.get("version") else "")
        for relation in group
    )
