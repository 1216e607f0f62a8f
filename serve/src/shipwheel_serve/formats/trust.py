"""What a model file may import; and unpickling within that."""

from __future__ import annotations

import io
import pickle
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from shipwheel_serve import pickles
from shipwheel_serve.errors import ModelError
from shipwheel_serve.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Decides about globals. `recorded` are those that the bundle says its pickle has (None: no bundle says anything);
    `vouched`: a bundle, a pinned hash or the settings stand for the file."""

    settings: Settings
    vouched: bool = False
    recorded: Collection[str] | None = None

    def check(self, names: Iterable[str], what: str) -> None:
        """Refuse `names` that are not allowed, all at once; the project's own are, for its code runs anyway.

        Raises:
            ModelError: they are named.
        """
        names, root = set(names), self.settings.root
        tops = {name.split(".")[0] for name in names}
        places = {top: (f"{top}.py", f"{top}/__init__.py", f"src/{top}.py", f"src/{top}/__init__.py") for top in tops}
        own = [top for top, files in places.items() if any((root / file).is_file() for file in files)]
        refused = set(pickles.refused(names, self.settings.allow_globals, own))
        refused |= set() if self.recorded is None else names.difference(self.recorded)
        if refused:
            some = ", ".join(sorted(refused))
            hint = "allow_globals in the settings allows names, once you know what they do"
            raise ModelError(f"{what} uses what a model may not use: {some}", hint=hint)

    def unpickle(self, path: Path) -> Any:
        """The object of a pickle: plain or of joblib.

        Raises:
            ModelError: nobody vouches for it, or it uses what is not allowed.
        """
        names = self.scan(path)
        with path.open("rb") as file:
            if file.peek(1)[:1] == b"\x80" and not any(name.startswith("joblib.") for name in names):
                return _Checked(file, self, path.name).load()
        import joblib

        return joblib.load(path)

    def scan(self, path: Path) -> frozenset[str]:
        """The globals of a pickle, once they are checked.

        Raises:
            ModelError: nobody vouches for it, or it uses what is not allowed, or it cannot be read.
        """
        if not self.vouched:
            hint = "save it with shipwheel_serve.bundle.save, pin its sha256, or set allow_pickle"
            raise ModelError(f"{path.name} is a pickle, which can run any code, and nothing vouches for it", hint=hint)
        try:
            names = pickles.scan(path)
        except pickles.UnreadableError as error:
            raise ModelError(f"{path.name} is not loaded: {error}", hint="save the model again") from None
        self.check(names, path.name)
        return names


class _Checked(pickle.Unpickler):
    """Also checks what a name turns out to be: a library may have imported something dangerous under its own name."""

    def __init__(self, file: io.BufferedReader, trust: Trust, what: str) -> None:
        super().__init__(file)
        self._trust, self._what = trust, what

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        full = f"{module}.{name}"
        if not pickles.is_named(full, self._trust.settings.allow_globals):
            if isinstance(found, ModuleType):
                raise ModelError(f"{self._what} uses what a model may not use: the module {full}")
            self._trust.check({full}, self._what)
            home = getattr(found, "__module__", None) or module
            replace(self._trust, recorded=None).check({f"{home}.{name}"}, self._what)
        return found
