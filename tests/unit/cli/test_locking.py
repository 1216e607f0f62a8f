"""What `lock` says beyond counts."""

from __future__ import annotations

from shipwheel.cli.locking import _apart
from shipwheel.lock import Built, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project import Served
from shipwheel.project.served import Trained


def wheel(name: str, version: str) -> Wheel:
    return Wheel(name=name, version=version, filename=f"{name}.whl", sha256="0" * 64, size=1)


def test_packages_that_are_other_than_in_training_are_named() -> None:
    packages = {"pandas": "1.5.3", "torch": "2.1.0", "own": "1.0", "scipy": "1.11.0", "numpy": "1.26.4"}
    served = Served(kind="bundle", model="model", trained=Trained(packages=packages))
    wheels = (wheel("pandas", "2.0.3"), wheel("torch", "2.1.0+cpu"), wheel("numpy", "1.26.4"), wheel("orjson", "3.0"))
    locked = PlatformLock(platform=Platform(), wheels=wheels, built=(Built(name="own", version="1.0", kind="path", path="."),))
    assert _apart(served, locked) == ["pandas 2.0.3 (was 1.5.3)", "scipy absent (was 1.11.0)"]
