"""`Plan`: what one image of a project should be, for one platform; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.oci.blob import Platform
from shipwheel.oci.image import RuntimeConfig
from shipwheel.project import Project

APP = "app"
"""Where the project's files lie in the image, below its root; also the working directory."""

SEARCH_PATH = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENVIRONMENT = {
    "PATH": SEARCH_PATH,
    "VIRTUAL_ENV": "/opt/venv",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",  # log lines appear when they are written
    "PYTHONDONTWRITEBYTECODE": "1",  # the bytecode is there already, and the user may not write beside it
    "HOME": "/tmp",  # the one place that every user can write to, also on a read-only root
}
"""What every image sets; the project's own `env` wins."""

SERVES = {"dev.shipwheel.serve": "1"}
"""The label of images whose command is the runtime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A project, a platform and how the container starts; `annotations` are what the image tells people of itself."""

    project: Project
    platform: Platform
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> RuntimeConfig:
        """Command, environment, port and user, as they stand in the image's config."""
        project = self.project
        folders = (".", *project.python_path)
        path = {"PYTHONPATH": ":".join(f"/{APP}/{folder}".removesuffix("/.") for folder in dict.fromkeys(folders))}
        return RuntimeConfig(
            cmd=project.command,
            env={**ENVIRONMENT, **path, **project.env},
            ports=(project.port,) if project.port else (),
            user=f"{project.settings.user}:0" if str(project.settings.user).isdecimal() else str(project.settings.user),
            working_dir=f"/{APP}",
            labels=SERVES if project.served else {},
            stop_signal="SIGTERM",
        )
