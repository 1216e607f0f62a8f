"""`Plan`: what one image of a project should be, for one platform; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.oci.blob import Platform
from shipwheel.oci.image import RuntimeConfig
from shipwheel.project import Project

APP = "app"
"""Where the project's files lie in the image, below its root; also the working directory."""

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are, in a base that does not say it."""

ENVIRONMENT = {
    "VIRTUAL_ENV": "/opt/venv",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",  # log lines appear when they are written
    "PYTHONDONTWRITEBYTECODE": "1",  # the bytecode is there already, and the user may not write beside it
    "HOME": "/tmp",  # the one place that every user can write to, also on a read-only root
}
"""What every image sets over its base; the project's own `env` wins."""

LABELS = "dev.shipwheel."
"""What the names of our labels begin with."""

SHM_LABEL = f"{LABELS}shm-size"
"""The label with the size of /dev/shm that an image wants."""

SHARED_MEMORY = {SHM_LABEL: "8g"}
"""The label of images with torch, whose data loaders hand batches over in /dev/shm; `run` makes it that large.

It is a limit: only what is used takes memory. 16 workers with 2 batches each (DataLoader's default) of 64 images of 3x512x512
floats are 6.4 GB."""

SERVES = {f"{LABELS}serve": "1"}
"""The label of images whose command is the runtime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A project, a platform and how the container starts; `annotations` are what the image tells people of itself.

    `below` is what the config of a base from a registry gives: its environment and labels, under our own. `hardware` is what
    the locked wheels ask of the machine, as environment for the engines' GPU support and labels.
    """

    project: Project
    platform: Platform
    annotations: Mapping[str, str] = field(default_factory=dict)
    below: RuntimeConfig = field(default_factory=RuntimeConfig)
    hardware: RuntimeConfig = field(default_factory=RuntimeConfig)

    @property
    def runtime(self) -> RuntimeConfig:
        """Command, environment, port and user, as they stand in the image's config."""
        project, below, hardware = self.project, self.below, self.hardware
        search = {"PATH": f"/opt/venv/bin:{below.env.get('PATH') or SEARCH_PATH}"}
        folders = (".", *project.python_path)
        path = {"PYTHONPATH": ":".join(f"/{APP}/{folder}".removesuffix("/.") for folder in dict.fromkeys(folders))}
        return RuntimeConfig(
            cmd=project.command,
            env={**below.env, **hardware.env, **ENVIRONMENT, **search, **path, **project.env},
            ports=(project.port,) if project.port else (),
            user=f"{project.settings.user}:0" if str(project.settings.user).isdecimal() else str(project.settings.user),
            working_dir=f"/{APP}",
            labels={**below.labels, **hardware.labels, **(SERVES if project.served else {})},
            stop_signal="SIGTERM",
        )
