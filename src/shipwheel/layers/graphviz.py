"""The list of Graphviz' plugins, which `dot -c` would have made: without it dot has no layout and no format to write.

Sources: Graphviz, lib/gvc/gvplugin.h (gvplugin_library_t, gvplugin_api_t, gvplugin_installed_t), lib/gvc/gvcext.h (api_t);
System V ABI, "Dynamic Linking".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname

from shipwheel.layers.ldcache import resolve
from shipwheel.oci.tree import Entry

_PLUGIN = re.compile(r"usr/lib/[^/]+/graphviz/libgvplugin_\w+\.so\.6")
_CONFIG = "config6a"
"""What libgvc.so.6 reads, beside the plugins."""

_KINDS = ("render", "layout", "textlayout", "device", "loadimage")
"""`api_t`, in its order."""

_HEADER = struct.Struct("<32xQ14xHH")
_SEGMENT = struct.Struct("<II5Q")
_LOAD, _DYNAMIC = 1, 2
_STRTAB, _SYMTAB, _RELA, _RELASZ = 5, 6, 7, 8
_RELOCATION = struct.Struct("<QQq")
_SYMBOL = struct.Struct("<IBBHQQ")
_WORD, _API, _INSTALLED = 8, 16, 40
"""Bytes of a pointer and of the structs on 64-bit machines, where each field takes a word."""


def plugin_lists(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """The list for each folder with plugins that has none."""
    folders: dict[str, list[str]] = {}
    for path in sorted(filter(_PLUGIN.fullmatch, files)):
        folders.setdefault(dirname(path), []).append(path)
    for folder, plugins in folders.items():
        if f"{folder}/{_CONFIG}" not in files:
            found = ((basename(path), resolve(files, path)) for path in plugins)
            text = "".join(_described(name, entry.read()) for name, entry in found if entry)
            yield Entry.data(f"{folder}/{_CONFIG}", text.encode())


def _described(name: str, data: bytes) -> str:
    """As `dot -c` writes one plugin: for each kind of thing that it does, what for and how well."""
    plugin = _Plugin(data)
    (library,) = (address for symbol, address in plugin.symbols() if re.fullmatch(r"gvplugin_\w+_LTX_library", symbol))
    lines = [f"{name} {plugin.text(plugin.pointer(library))} {{"]
    api = plugin.pointer(library + _WORD)
    while types := plugin.pointer(api + _WORD):
        lines.append(f"\t{_KINDS[plugin.number(api)]} {{")
        while kind := plugin.pointer(types + _WORD):
            lines.append(f"\t\t{plugin.text(kind)} {plugin.number(types + 2 * _WORD)}")
            types += _INSTALLED
        lines.append("\t}")
        api += _API
    return "\n".join([*lines, "}", ""])


class _Plugin:
    """A library as it would lie in memory from address 0 on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        start, size, count = _HEADER.unpack_from(data)
        segments = [_SEGMENT.unpack_from(data, start + size * number) for number in range(count)]
        self._loads = [(where, length, offset) for kind, _, offset, where, _, length, _ in segments if kind == _LOAD]
        ((_, _, dynamic, _, _, length, _),) = (segment for segment in segments if segment[0] == _DYNAMIC)
        self._tags = dict(struct.iter_unpack("<qQ", data[dynamic : dynamic + length]))
        self._pointers = dict(self._relocated())

    def _relocated(self) -> Iterator[tuple[int, int]]:
        """Where pointers lie, and what to: a place, or one after a symbol's."""
        table, symbols = self._offset(self._tags[_RELA]), self._offset(self._tags[_SYMTAB])
        for where, info, addend in _RELOCATION.iter_unpack(self._data[table : table + self._tags[_RELASZ]]):
            symbol = _SYMBOL.unpack_from(self._data, symbols + _SYMBOL.size * (info >> 32))
            yield where, addend + symbol[4]

    def symbols(self) -> Iterator[tuple[str, int]]:
        """Names and addresses; the table of names follows that of symbols, which has no length of its own."""
        table = self._data[self._offset(self._tags[_SYMTAB]) : self._offset(self._tags[_STRTAB])]
        for at in range(0, len(table) - _SYMBOL.size + 1, _SYMBOL.size):
            name, *_, address, _ = _SYMBOL.unpack_from(table, at)
            yield self.text(self._tags[_STRTAB] + name), address

    def pointer(self, address: int) -> int:
        """The address that stands there, 0 for none."""
        return self._pointers.get(address, 0)

    def number(self, address: int) -> int:
        """The C int that stands there."""
        start = self._offset(address)
        return int.from_bytes(self._data[start : start + 4], "little", signed=True)

    def text(self, address: int) -> str:
        """The C string that stands there."""
        start = self._offset(address)
        return self._data[start : self._data.index(b"\0", start)].decode()

    def _offset(self, address: int) -> int:
        return next(int(offset + address - where) for where, length, offset in self._loads if where <= address < where + length)
