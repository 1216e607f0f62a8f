"""`Lock`: the exact files that an image is made of, and shipwheel.lock, the file that holds them."""

from shipwheel.lock.dump import dump_lock
from shipwheel.lock.explain import explain, is_dependency
from shipwheel.lock.file import check_fresh, read_lock, write_lock
from shipwheel.lock.parse import parse_lock
from shipwheel.lock.values import FILE_NAME, Accelerator, BaseImage, Built, Deb, Lock, ModelFile, PlatformLock, Wheel

__all__ = [
    "FILE_NAME",
    "Accelerator",
    "BaseImage",
    "Built",
    "Deb",
    "Lock",
    "ModelFile",
    "PlatformLock",
    "Wheel",
    "check_fresh",
    "dump_lock",
    "explain",
    "is_dependency",
    "parse_lock",
    "read_lock",
    "write_lock",
]
