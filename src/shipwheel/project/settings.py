"""`Settings`: what a user may write in `[tool.shipwheel]` of pyproject.toml, or at the top of shipwheel.toml.

The values are standard dataclasses that anyone can make and that import fast. pydantic checks them when a file has a
section, and gives the JSON Schema; it is imported then, and only then. The text below each field is its documentation,
in the schema as in the reference.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

from shipwheel.errors import ConfigError, Problem
from shipwheel.oci.blob import Platform
from shipwheel.project import rules
from shipwheel.project.locate import KeyPath, key_lines, read_toml, table_at
from shipwheel.project.rules import COMMAND, PLATFORM, Rule

PYPROJECT = "pyproject.toml"
OWN_FILE = "shipwheel.toml"
DEFAULT_USER = 1000
"""Not root, and the id that most hosts give to their first user: volumes of a developer's machine are writable."""

EnvTable = Mapping[Annotated[str, Rule(rules.env_name)], Annotated[str, Rule(rules.env_value)]]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


_CONFIG: dict[str, Any] = {"extra": "forbid", "strict": True, "alias_generator": _kebab, "use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How `shipwheel run` starts the container; the flags of the same names come first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    ports: tuple[Annotated[str, Rule(rules.port_mapping)], ...] = ()
    """Published ports, HOST:CONTAINER; without any, the service's own port, for this machine only (127.0.0.1)."""

    env: EnvTable = field(default_factory=dict)
    """Environment variables of the container, over those of the image."""

    volumes: tuple[Annotated[str, Rule(rules.volume_mapping)], ...] = ()
    """Mounts, SOURCE:/path or SOURCE:/path:ro; ./SOURCE is below the project's folder, a bare name a volume of the engine."""

    shm_size: Annotated[str, Rule(rules.size_text)] | None = None
    """Size of /dev/shm, such as 1g; PyTorch's data loaders share tensors through it."""

    memory: Annotated[str, Rule(rules.size_text)] | None = None
    """Memory limit, such as 2g."""

    cpus: Annotated[float, Rule(rules.cpu_count)] | None = None
    """How many CPUs the container may use; fractions are allowed."""

    network: Annotated[str, Rule(rules.some_text)] | None = None
    """Network to join, such as host or none, or one that the engine knows by this name."""

    gpus: Annotated[str, Rule(rules.gpu_selection)] | None = None
    """GPUs of the container: all, how many, such as "1", or which, such as "device=0,2" or "device=GPU-UUID". Default: none."""


Check = Literal["strict", "warn", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How the runtime serves the project's model. Variables of the container come first: the same names in capitals, with
    SHIPWHEEL_ before them, - as _."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    name: Annotated[str, Rule(rules.model_name)] | None = None
    """The model's name in addresses and metrics. Default: the bundle's, or the file's."""

    delivery: Literal["bake", "download", "mount"] = "bake"
    """How the model gets to the service: bake (a layer of the image), download (from `source`, at start), mount (it appears
    at `mount`). The lock pins its hashes in all three."""

    source: Annotated[str, Rule(rules.model_source)] | None = None
    """Where `delivery = "download"` finds the model: the folder of a bundle, or a model file, at an http(s)://, s3://, gs:// or
    file: address. Credentials come from the container's environment."""

    mount: Annotated[str, Rule(rules.absolute_path)] = "/mnt/models"
    """Where `delivery = "mount"` finds the model in the container: the folder of a bundle, or the folder of the model file."""

    environment: Literal["auto", "strict", "warn", "off"] = "auto"
    """Packages that differ from training: strict (any refuses), warn, off; auto: warn where golden answers decide, else a
    difference in the first two numbers of a version refuses."""

    packages: Mapping[str, Check] = field(default_factory=dict)
    """The same for single packages, python, machine or bits, such as { pandas = "strict" }."""

    golden: Check = "strict"
    """Golden answers that come out otherwise: strict (never ready), warn, off (not compared)."""

    allow_pickle: bool = False
    """Load a pickle that neither a bundle nor the lock vouches for."""

    allow_globals: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """More names that a pickle may use, such as mypackage.features.Scaler or mypackage.*"""

    workers: Annotated[int, Rule(rules.not_negative)] = 0
    """Processes, each with the model. 0: one a GPU, else one."""

    threads: Annotated[int, Rule(rules.not_negative)] = 0
    """Threads of numeric libraries in each worker. 0: the CPU limit of the container, divided by the workers."""

    max_batch_size: Annotated[int, Rule(rules.at_least_one)] = 256
    """Rows that one call of the model gets at most. 1: requests are never joined."""

    max_batch_delay_ms: Annotated[float, Rule(rules.not_negative)] = 0.0
    """How long a request waits for others, in milliseconds. 0: whatever is queued goes together, nothing waits."""

    max_queue_size: Annotated[int, Rule(rules.at_least_one)] = 512
    """Requests that wait; one more is answered with 429."""

    max_concurrency: Annotated[int, Rule(rules.at_least_one)] = 1
    """Calls of the model at the same time, in each worker."""

    request_timeout_s: Annotated[float, Rule(rules.positive)] = 60.0
    """Seconds after which a request is answered with 504."""

    graceful_timeout_s: Annotated[float, Rule(rules.not_negative)] = 30.0
    """Seconds that running requests may take to end after SIGTERM."""

    drain_delay_s: Annotated[float, Rule(rules.not_negative)] = 0.5
    """Seconds in which requests are still taken after SIGTERM, not ready, so that load balancers can notice."""

    max_payload_size: Annotated[str, Rule(rules.size_text)] = "64m"
    """Size of a request, such as 64m; a larger one is answered with 413."""

    access_log: bool = False
    """A log line for every request, not only for those that fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSettings:
    """What `shipwheel lint` looks for, and where; the flags of the same names come first. A rule is named by its key, or by the
    beginning of keys up to a dash: apt is all of apt-cache, apt-no-y and so on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    select: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """Rules to look for. Default: all but those that are off."""

    ignore: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """Rules to leave out."""

    exclude: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """Files not to look at; patterns as in .gitignore."""

    paths: Mapping[Annotated[str, Rule(rules.some_text)], tuple[Annotated[str, Rule(rules.some_text)], ...]] = field(
        default_factory=dict
    )
    """Rules to leave out in some files, such as { "docs/" = ["pip-unpinned"] }; patterns as in .gitignore."""

    fail_on: Literal["error", "warning", "info", "never"] = "warning"
    """The least severity of a finding with which the exit status is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of Shipwheel; every one has a default or is found in the project."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    name: Annotated[str, Rule(rules.image_name)] | None = None
    """Name of the image, without a tag. Default: the name in [project], else the folder's."""

    python: Annotated[str, Rule(rules.python_minor)] | None = None
    """Minor version of Python, such as "3.11". Default: what the lock file, .python-version or requires-python ask for."""

    base: Annotated[str, Rule(rules.base_name)] = "debian"
    """What lies below the packages: debian (composed from Debian packages, without a shell), or an image of a registry that
    holds a Python, with its tag or digest, such as python:3.12-slim."""

    base_python: Annotated[str, Rule(rules.absolute_path)] | None = None
    """Path of the interpreter in a base from a registry, such as /opt/conda/bin/python3.11. Default: what the image says."""

    requirements: tuple[Annotated[str, Rule(rules.relative_path)], ...] = ()
    """Files that name the Python packages: requirements files, or one pyproject.toml, uv.lock, pylock.toml, poetry.lock,
    Pipfile.lock or environment.yml. Default: the one that the folder has."""

    groups: tuple[Annotated[str, Rule(rules.one_name)], ...] = ()
    """Dependency groups to install, besides the project's own dependencies."""

    extras: tuple[Annotated[str, Rule(rules.one_name)], ...] = ()
    """Extras (optional dependencies) of the project to install."""

    system_packages: tuple[Annotated[str, Rule(rules.debian_package)], ...] = ()
    """Debian packages to add, with what they depend on, such as ffmpeg."""

    accelerator: Literal["auto", "cpu", "cuda", "rocm"] = "auto"
    """What the image computes on. cpu: CPU builds are chosen, and packages for GPUs are an error; cuda, rocm: the reverse.
    auto: what the requirements ask for; where nothing asks for a GPU, CPU builds if an index has them."""

    command: Annotated[tuple[str, ...], COMMAND] = ()
    """What the container runs: a list, or one string in shell syntax (no shell runs it). Default: the app or script that
    the folder holds."""

    port: Annotated[int, Rule(rules.port_number)] | None = None
    """TCP port on which the service listens inside the container."""

    env: EnvTable = field(default_factory=dict)
    """Environment variables of the image. Not the place for secrets: everyone who has the image can read them."""

    user: Annotated[int, Rule(rules.user_number)] = DEFAULT_USER
    """Numeric id of the user that runs the command."""

    include: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """Files to put into the image although a rule leaves them out; patterns as in .gitignore."""

    exclude: tuple[Annotated[str, Rule(rules.some_text)], ...] = ()
    """Files to leave out of the image; patterns as in .gitignore."""

    model: Annotated[str, Rule(rules.relative_path)] | None = None
    """File or folder of the model, below the project's folder; it is part of the image even where git ignores it. For the
    runtime also a class, as MODULE:CLASS. Default for the runtime: the bundle, or the one model file, that the folder holds."""

    platforms: tuple[Annotated[Platform, PLATFORM], ...] = ()
    """Platforms to lock and build for, such as linux/amd64 and linux/arm64. Default: this machine's."""

    debian_mirror: Annotated[str, Rule(rules.web_address)] | None = None
    """Address of a Debian mirror. Default: the environment's, the host's own apt sources, or deb.debian.org."""

    shell: bool = False
    """Adds a shell (dash) to the debian base, for packages that start commands through one."""

    estargz: bool = False
    """Makes layers (eStargz) that a node with stargz-snapshotter can start from before it has them whole; somewhat larger."""

    git_annotations: bool = True
    """Annotates the image with the commit, and the repository's address, when git holds the project's folder exactly as it is.
    Another commit then gives another digest, though the same config and layers."""

    layer_index: Annotated[str, Rule(rules.registry_repository)] | None = None
    """Repository of a registry, REGISTRY/REPO, where layers of dependencies are looked for before they are made, and published
    after. Default: none."""

    layer_index_publish: bool = True
    """Publish the layers of dependencies that were made here; never on pull requests, whose code nobody has seen yet."""

    layer_index_key: Annotated[str, Rule(rules.relative_path)] | None = None
    """PEM file of a public key below the project's folder: layers of the index count only if signed with its private key."""

    run: RunSettings = field(default_factory=RunSettings)
    """How `shipwheel run` starts the container."""

    serve: ServeSettings | None = None
    """How the runtime serves the model; where this table is, it does, whatever else but `command` the folder could run."""

    lint: LintSettings = field(default_factory=LintSettings)
    """What `shipwheel lint` looks for."""


def parse_settings(text: str, file: str) -> Settings:
    """The settings in the text of a pyproject.toml or a shipwheel.toml; `file` is its name, and says which.

    Raises:
        ConfigError: not TOML, or mistakes in the section: all of them, each with its line.
    """
    where = section_path(file)
    table = table_at(read_toml(text, file), *where)
    return settings_from(table, text, file) if table else Settings()


def section_path(file: str) -> tuple[str, ...]:
    """The tables above the settings in this file."""
    return ("tool", "shipwheel") if file.rpartition("/")[2] == PYPROJECT else ()


def settings_from(table: Mapping[str, object], text: str, file: str) -> Settings:
    """The settings in a table that was read from `text`.

    Raises:
        ConfigError: mistakes: all of them, each with its line in `text`.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # As JSON, because there strict means: lists are tuples and tables are dataclasses, but "8000" is no number.
        return TypeAdapter(Settings).validate_json(json.dumps(table, default=_not_json))
    except ValidationError as error:
        problems = _problems(error.errors(include_url=False), text, file)
    raise ConfigError(
        f"mistakes in the settings of {file}", problems, hint="correct these lines, or leave the keys out: each has a default"
    )


def _not_json(value: object) -> object:
    """Dates and times, which no setting takes: an object fails wherever a text is wanted."""
    return {"date": str(value)}


def _problems(errors: Iterable[Any], text: str, file: str) -> list[Problem]:
    lines, above = key_lines(text), section_path(file)
    found = []
    for error in errors:
        location = tuple(part for part in error["loc"] if part != "[key]")
        place = (*above, *location)
        line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 0)
        found.append(Problem(path=_dotted(place), file=file, line=line, message=_message(error, location)))
    return sorted(found, key=lambda problem: problem.line)


def _dotted(path: KeyPath) -> str:
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "dataclass_type": "a table",
}


def _message(error: Mapping[str, Any], location: KeyPath) -> str:
    if error["type"] == "unexpected_keyword_argument":
        return _unknown(location)
    if error["type"] in _EXPECTED:
        return f"must be {_EXPECTED[error['type']]}, not {json.dumps(error['input'])}"
    return str(error["msg"]).removeprefix("Value error, ")


def _unknown(location: KeyPath) -> str:
    tables = {"run": RunSettings, "serve": ServeSettings, "lint": LintSettings}
    owner = tables.get(str(location[0]), Settings) if len(location) > 1 else Settings
    near = difflib.get_close_matches(str(location[-1]), known_keys(owner), n=1, cutoff=0.5)
    return f"unknown key; did you mean '{near[0]}'?" if near else "unknown key"


def known_keys(owner: type[Settings | RunSettings | ServeSettings | LintSettings] = Settings) -> list[str]:
    """The keys as they are written in TOML."""
    return [_kebab(item.name) for item in fields(owner)]


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the settings, for editors and for the reference."""
    from pydantic import TypeAdapter

    schema = _tidy(TypeAdapter(Settings).json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "[tool.shipwheel]"}


def _tidy(node: Any, *, inside_properties: bool = False) -> Any:
    """Without what TOML cannot say (null) and titles that only repeat the key."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _tidy(value, inside_properties=key in ("properties", "$defs")) for key, value in node.items()}
    if inside_properties:
        return out
    if {"type": "null"} in out.get("anyOf", ()):
        (only,) = [option for option in out.pop("anyOf") if option != {"type": "null"}]
        out = {**only, **out}
    if isinstance(out.get("description"), str):
        out["description"] = " ".join(out["description"].split())
    return {key: value for key, value in out.items() if key != "title" and not (key == "default" and value is None)}
