"""`shipwheel run`."""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shipwheel.cli.context import Context, local_name
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.attached import Attached
from shipwheel.engines.engine import Container, State
from shipwheel.engines.find import find_engine
from shipwheel.engines.gpus import Gpus
from shipwheel.engines.needs import ImageNeeds
from shipwheel.engines.spec import (
    Limits,
    Port,
    RunSpec,
    Volume,
    default_name,
    exposed_ports,
    parse_env,
    parse_name,
    parse_network,
    parse_size,
)
from shipwheel.engines.wait import Address, Look, Readiness, addresses, answers, wait_until_answers
from shipwheel.errors import ContainerError, UsageError
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Index, images_of
from shipwheel.oci.reference import Reference
from shipwheel.project.settings import RunSettings
from shipwheel.verify import serves

if TYPE_CHECKING:
    from shipwheel.oci.image import Image
    from shipwheel.project import Project

LOOPBACK = "127.0.0.1"
"""Where an image's own port is published when no -p is given: for this machine only."""


class _WithArguments(click.Command):
    """What stands behind `--` is the container's, even where no target stands before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split there."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[__name__] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_WithArguments, options_metavar="[OPTIONS]", epilog="What stands behind -- replaces the image's command.")
@click.argument("target", default=".", metavar="[DIR|NAME[:TAG]|REF]")
@click.option("-d", "--detach", is_flag=True, help="Return when the service answers; it goes on running.")
@click.option("-p", "--publish", multiple=True, metavar="[[IP:]HOST:]PORT", help="Offer a port of the container on the host.")
@click.option("-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Set a variable, or pass your own through.")
@click.option("-v", "--volume", multiple=True, metavar="SRC:DST[:ro]", help="Show a folder, or a named volume, at DST.")
@click.option("--name", metavar="NAME", help="The container's name; made from the image's otherwise.")
@click.option("--gpus", metavar="GPUS", help="all, how many, or which: device=0,2, device=GPU-UUID.")
@click.option("--user", default="", metavar="UID[:GID]", help="Run as this user instead of the image's.")
@click.option(
    "--shm-size", metavar="SIZE", help="Size of /dev/shm, for example 1g. Default: what the image asks for, else 64m."
)
@click.option("--memory", metavar="SIZE", help="Memory that it may use, for example 2g.")
@click.option("--cpus", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Processors that it may use.")
@click.option("--network", default="", metavar="NAME", help="bridge (the default), host, none, or a network of the engine.")
@click.option("--read-only", is_flag=True, help="Refuse writes to the root file system; /tmp stays writable.")
@click.option("--no-verify", is_flag=True, help="Build the image even if its model would never be ready.")
@engine_option
@click.pass_context
def command(ctx: click.Context, /, target: str, engine: str | None, **flags: Any) -> None:
    """Run a project or an image, and wait until it answers."""
    context: Context = ctx.obj
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _check(context, flags)
    name, settings = ensure_image(context, target, verify=not flags["no_verify"])
    image = context.store.resolve(name)
    needs, chosen = ImageNeeds.of(image), _with_settings(flags, settings)
    spec = _spec(context, name, image, {**chosen, "command": ctx.meta[__name__]})
    spec = replace(spec, gpus=needs.gpus(chosen["gpus"], spec.env), limits=needs.limits(spec.limits))
    for remark in needs.remarks(chosen["gpus"]):
        context.say(f"{name}: {remark}", style="yellow")
    with find_engine(engine, surroundings(context)) as found:
        copy(image, found.target(), name, progress=context.progress())
        served = not spec.command and any(map(serves, images_of(image)))
        run = _Run(context=context, spec=spec, kind=found.kind, served=served)
        if flags["detach"]:
            run.detached(found.run(spec))
        else:
            run.attached(found.run(spec))


def _check(context: Context, flags: dict[str, Any]) -> None:
    """Flags that say nothing are told before anything is built.

    Raises:
        UsageError: the first of them.
    """
    for flag in ("memory", "shm-size"):
        if size := flags[flag.replace("-", "_")]:
            parse_size(size, f"--{flag}")
    if flags["gpus"]:
        Gpus.parse(flags["gpus"])
    if flags["name"]:
        parse_name(flags["name"])
    if flags["network"]:
        parse_network(flags["network"])
    for text in flags["publish"]:
        Port.parse(text)
    for text in flags["volume"]:
        _volume(text)
    parse_env(flags["env"], context.env)


def ensure_image(context: Context, target: str, *, verify: bool = True) -> tuple[str, RunSettings]:
    """The name in the store of what `target` means, built first where it is a project, and the project's run settings."""
    if Path(target).is_dir():
        from shipwheel.cli.making import Request, make_image

        made = make_image(context, Request(directory=target, verify=verify))
        context.say(f"built {made.name}  {made.image.manifest.digest}  {made.seconds:.2f} s")
        for verdict in made.verdicts:
            context.say(str(verdict), style=None if verdict.state == "passed" else "yellow")
        settings = _below(made.project.root, made.project.settings.run)
        return made.name, replace(settings, volumes=(*settings.volumes, *mounted_model(made.project, settings)))
    name = local_name(target)
    if name not in context.store.names():
        name = _pulled(context, target)
    return name, RunSettings()


def _pulled(context: Context, target: str) -> str:
    """The name in the store of an image that a registry has; a name without a registry is not looked for in the world."""
    reference = Reference.parse(target)
    if not reference.registry:
        hint = f"'shipwheel images' lists them; a project needs its folder, one of Docker Hub its registry: {reference.full}"
        raise UsageError(f"there is no image '{reference}'", hint=hint)
    from shipwheel.cli.pulling import pull

    return pull(context, reference)[0]


def _below(root: Path, settings: RunSettings) -> RunSettings:
    """With relative sources of volumes as paths below `root`; names of volumes stay names."""
    volumes = (Volume.parse(text) for text in settings.volumes)
    return replace(settings, volumes=tuple(str(_at(root, volume) if volume.is_path else volume) for volume in volumes))


def mounted_model(project: Project, settings: RunSettings) -> Iterator[str]:
    """The project's own model, read-only, for a service that wants it mounted and gets it from nowhere else."""
    served, serve = project.served, project.settings.serve
    if served is None or serve is None or serve.delivery != "mount" or not served.files:
        return
    if serve.mount not in _targets(settings.volumes):
        path = project.root / served.model
        yield str(Volume(source=str(path if path.is_dir() else path.parent), target=serve.mount, read_only=True))


def _targets(volumes: Iterable[str]) -> frozenset[str]:
    return frozenset(Volume.parse(text).target for text in volumes)


def _at(root: Path, volume: Volume) -> Volume:
    return replace(volume, source=str(root / Path(volume.source).expanduser()))


def _with_settings(flags: dict[str, Any], settings: RunSettings) -> dict[str, Any]:
    """The flags, and where one is not given what the project says."""
    given = _targets(flags["volume"])
    volumes = [text for text in settings.volumes if Volume.parse(text).target not in given]
    return {
        **flags,
        "publish": flags["publish"] or settings.ports,
        "env": (*(f"{key}={value}" for key, value in settings.env.items()), *flags["env"]),
        "volume": (*volumes, *flags["volume"]),
        "shm_size": flags["shm_size"] or settings.shm_size,
        "memory": flags["memory"] or settings.memory,
        "cpus": flags["cpus"] or settings.cpus,
        "network": flags["network"] or settings.network or "",
        "gpus": flags["gpus"] or settings.gpus,
    }


def _spec(context: Context, name: str, image: Image | Index, flags: dict[str, Any]) -> RunSpec:
    network = parse_network(flags["network"]) if flags["network"] else ""
    given = tuple(Port.parse(text) for text in flags["publish"])
    return RunSpec(
        image=name,
        name=parse_name(flags["name"]) if flags["name"] else default_name(name, secrets.token_hex(2)),
        command=flags["command"],
        ports=given or _own_ports(image),
        env=parse_env(flags["env"], context.env),
        volumes=tuple(_volume(text) for text in flags["volume"]),
        limits=Limits(
            memory=parse_size(flags["memory"], "--memory") if flags["memory"] else None,
            shm_size=parse_size(flags["shm_size"], "--shm-size") if flags["shm_size"] else None,
            cpus=flags["cpus"],
        ),
        network=network,
        user=flags["user"],
        read_only=flags["read_only"],
    )


def _own_ports(image: Image | Index) -> tuple[Port, ...]:
    return tuple(Port(container=port, host=port, ip=LOOPBACK) for port in exposed_ports(image))


def _volume(text: str) -> Volume:
    """With an absolute source that exists: one engine would make a missing folder, another refuse it."""
    volume = Volume.parse(text)
    if not volume.is_path:
        return volume
    source = Path(volume.source).expanduser().absolute()
    if not source.exists():
        raise UsageError(f"-v '{text}': '{source}' does not exist", hint="make it first")
    return Volume(source=str(source), target=volume.target, read_only=volume.read_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What is said while a container starts and runs."""

    context: Context
    spec: RunSpec
    kind: str
    served: bool = False

    def detached(self, container: Container) -> None:
        """Until it answers; the name on stdout, for scripts."""
        try:
            state = wait_until_answers(container, self._where(container), look=self._look())
        except ContainerError as error:
            for line in str(error.fields.get("log", "")).splitlines():
                self.context.say(f"  | {line}")
            self.context.say(f"'shipwheel logs {container.name}' shows the rest; 'shipwheel rm {container.name}' removes it")
            raise
        except KeyboardInterrupt:
            container.remove()
            raise
        self._say_running(state)
        click.echo(container.name)

    def attached(self, container: Container) -> None:
        """Until it ends or Ctrl-C."""
        with ExitStack() as stack:
            attached = stack.enter_context(Attached(container, _to_stdout))
            self._say_running(attached.until_it_answers(self._where(container), self._look()))
            attached.until_it_ends()

    def _where(self, container: Container) -> tuple[Address, ...]:
        state = container.state()
        for note in state.notes:
            self._note(note)
        return addresses(state) if self.spec.network != "none" else ()

    def _look(self) -> Look:
        """A service of the runtime says when it is ready; of any other an answer must do."""
        return Readiness(self.spec.name, self._note) if self.served else answers

    def _note(self, text: str) -> None:
        self.context.say(f"{self.spec.name}: {text}", style="yellow")

    def _say_running(self, state: State) -> None:
        if not state.running:
            return
        where = "".join(f" at {address}" for address in addresses(state)[:1])
        self.context.say(f"{self.spec.name} runs{where} ({self.kind})", style="green")


def _to_stdout(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
