"""What a project's folder says: settings, requirements, Python's version, command, files."""

from shipwheel.project.command import Command
from shipwheel.project.files import LeftOut, ProjectFile
from shipwheel.project.load import Decision, Project, load_project
from shipwheel.project.requirements import Requirements
from shipwheel.project.rules import parse_size
from shipwheel.project.served import Served
from shipwheel.project.settings import RunSettings, ServeSettings, Settings, parse_settings, settings_schema

__all__ = [
    "Command",
    "Decision",
    "LeftOut",
    "Project",
    "ProjectFile",
    "Requirements",
    "RunSettings",
    "ServeSettings",
    "Served",
    "Settings",
    "load_project",
    "parse_settings",
    "parse_size",
    "settings_schema",
]
