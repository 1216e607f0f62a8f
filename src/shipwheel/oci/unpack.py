"""`unpack_layer`: one layer as a folder for overlayfs, for engines that mount layers themselves (runc).

The layer goes into a new private folder that is renamed when whole. A member is only ever made below folders that this
very layer made, so no link can lead anywhere else.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import CHUNK, Blob
from shipwheel.oci.gunzip import as_file, tar_of
from shipwheel.oci.layout import PARTIAL, refused

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
"""What PAX records of extended attributes begin with, by every writer of layers (layer.md, "File Attributes")."""

_MAX_DEPTH = 256
"""Folders below each other: more is an attack."""


def unpack_layer(blob: Blob, into: Path) -> None:
    """Make the folder `into` of a layer; does nothing where it is there already.

    Whiteouts (layer.md, "Whiteouts") become overlayfs's: a 0/0 character device, and the opaque attribute, which is
    `trusted.` as root and `user.` (mount option userxattr) else. Owners and device nodes need root: without it files
    belong to the caller and devices are left out.

    Raises:
        IntegrityError: a damaged layer, or a member outside of the root.
        StoreError: the system refuses; nothing is left then.
    """
    if into.is_dir():
        return
    folder = into.with_name(f"{PARTIAL}{into.name}-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        _Unpacker(folder=folder, root=os.geteuid() == 0).unpack(blob)
        _name(folder, into)
    except OSError as error:
        raise refused(error, into) from None
    finally:
        if folder.exists():
            _remove(folder)


def _name(folder: Path, into: Path) -> None:
    """Give the whole folder its name, unless another process was first."""
    try:
        folder.rename(into)
    except OSError:
        if not into.is_dir():
            raise


def _remove(folder: Path) -> None:
    """Also where its own modes forbid to empty it."""
    for root, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(root).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True, kw_only=True)
class _Unpacker:
    """Fills one folder; `folders` are those made so far, each with the member that says its mode."""

    folder: Path
    root: bool
    folders: dict[str, tarfile.TarInfo | None] = field(default_factory=lambda: {"": None})

    def unpack(self, blob: Blob) -> None:
        with as_file(tar_of(blob)) as stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|") as tar:
                    while member := tar.next():
                        self._add(tar, member)
                        tar.members.clear()  # type: ignore[attr-defined]  # never searched, and keeping all costs memory
            except (tarfile.TarError, EOFError, UnicodeError) as error:
                raise IntegrityError(f"layer {blob.digest} is damaged: {error}") from None
            while stream.read(CHUNK):  # the digest is checked at the end
                pass
        self._finish_folders()

    def _add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _plain(member.name)
        parent, _, name = path.rpartition("/")
        if member.isdir():
            self._folder(path, member)
            return
        self._folder(parent, None)
        if name == _OPAQUE:
            key = "trusted.overlay.opaque" if self.root else "user.overlay.opaque"
            os.setxattr(self.folder / parent, key, b"y")
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise IntegrityError(f"'{member.name}' hides no file")
            os.mknod(self._free(f"{parent}/{hidden}".lstrip("/")), stat.S_IFCHR, os.makedev(0, 0))
        else:
            self._make(tar, member, self._free(path))

    def _folder(self, path: str, member: tarfile.TarInfo | None) -> None:
        """Make a folder and those above it; what is no folder and stands in the way is refused."""
        if path not in self.folders:
            parent = path.rpartition("/")[0]
            self._folder(parent, None)
            place = self.folder / path
            if place.is_symlink() or place.exists():
                raise IntegrityError(f"'{path}' stands in the layer as a folder and as something else")
            place.mkdir(mode=0o700)
        if member or path not in self.folders:
            self.folders[path] = member

    def _free(self, path: str) -> Path:
        """Where a member goes; an earlier one of its name makes room, unless it is a folder."""
        place = self.folder / path
        if path in self.folders or not path:
            raise IntegrityError(f"'{path}' stands in the layer as a folder and as something else")
        place.unlink(missing_ok=True)
        return place

    def _make(self, tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
        if member.isreg():
            source = tar.extractfile(member)
            assert source is not None
            with place.open("xb") as file:
                shutil.copyfileobj(source, file, CHUNK)
        elif member.issym():
            place.symlink_to(member.linkname)
        elif member.islnk():
            self._link(member, place)
            return
        elif member.isfifo():
            os.mkfifo(place)
        elif self.root and (member.ischr() or member.isblk()):
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            os.mknod(place, kind, os.makedev(member.devmajor, member.devminor))
        else:
            return
        self._finish(place, member)

    def _link(self, member: tarfile.TarInfo, place: Path) -> None:
        """A hard link to an earlier file of the same layer."""
        path = _plain(member.linkname)
        source = self.folder / path
        if path.rpartition("/")[0] not in self.folders or source.is_symlink() or not source.is_file():
            raise IntegrityError(f"'{member.name}' links to '{member.linkname}', no earlier file of its layer")
        place.hardlink_to(source)

    def _finish(self, place: Path, member: tarfile.TarInfo) -> None:
        """Owner first, for changing it drops setuid bits and capabilities."""
        if self.root:
            os.lchown(place, member.uid, member.gid)
        if not member.issym():
            place.chmod(member.mode & 0o7777)
            self._attributes(place, member)
        os.utime(place, (member.mtime, member.mtime), follow_symlinks=False)

    def _attributes(self, place: Path, member: tarfile.TarInfo) -> None:
        for key, value in member.pax_headers.items():
            name = key.removeprefix(_XATTR)
            if name != key and (name.startswith("user.") or (self.root and name.startswith("security."))):
                with suppress(OSError):  # as engines do: not every file system has them
                    os.setxattr(place, name, value.encode("utf-8", "surrogateescape"))

    def _finish_folders(self) -> None:
        """Deepest first: a folder's time changes with what is made in it, and its mode may forbid that."""
        for path in sorted(self.folders, reverse=True):
            member = self.folders[path]
            if member:
                self._finish(self.folder / path, member)
            else:
                (self.folder / path).chmod(0o755)


def _plain(name: str) -> str:
    """A member's path from the root, `` for the root itself.

    Raises:
        IntegrityError: it leaves the root.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name or len(parts) > _MAX_DEPTH:
        raise IntegrityError(f"'{name}' leads out of the layer")
    return "/".join(parts)
