"""What packages of the distribution leave in layers, and what comes with them unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.edits.chains import after_word, appended, in_place, text_of
from shipwheel.lint.finding import Fix, Hit
from shipwheel.lint.packages.system import action_span, installs_of, leaves_lists, needs_lists, off_layer, only_updates, sudo
from shipwheel.lint.rule import Rule
from shipwheel.lint.wording import listed

BEST_PRACTICES = "https://docs.docker.com/build/building/best-practices/#apt-get"

_NO_RECOMMENDS = re.compile(r"Install-Recommends\W+(?:false|0|no)\b", re.IGNORECASE)


def _kept_runs(dockerfile: Dockerfile) -> Iterator[Step]:
    """RUNs whose layers end up in an image that is shipped."""
    return (step for stage in dockerfile.kept for step in stage.steps if step.keyword == "RUN")


APT_CACHE = Rule(
    key="apt-cache",
    severity="warning",
    title="Package lists and package caches stay in the layer",
    why="The lists are stale by the time somebody uses them, and every pull of the image pays for them.",
    remedy="End the same RUN with `&& rm -rf /var/lib/apt/lists/*`",
    source=BEST_PRACTICES,
    fix="automatic",
)


@APT_CACHE.check(Dockerfile)
def caches_stay(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get update without rm of the lists; apk without --no-cache; dnf and yum without clean all."""
    needing = [step for step in dockerfile.steps("RUN") if needs_lists(step)]
    for step in _kept_runs(dockerfile):
        if not step.installs:
            continue
        yield from _apt_lists(step, needing)
        yield from _apk_index(step)
        yield from _dnf_cache(step)


def _relied_on(step: Step, needing: list[Step]) -> bool:
    """Whether something later may take the lists that this RUN leaves: then it is to be joined to that, not to be cleaned."""
    return only_updates(step) or any(one.span > step.span and step.stage in one.stage.lineage for one in needing)


def _apt_lists(step: Step, needing: list[Step]) -> Iterator[Hit]:
    updates = leaves_lists(step)
    if not updates:
        return
    edits = () if _relied_on(step, needing) else appended(step, f"{sudo(updates[-1])}rm -rf /var/lib/apt/lists/*")
    yield Hit(
        span=updates[0].command.span,
        message=f"the package lists that {updates[0].tool} fetches stay in the layer",
        fix=Fix(what="remove the lists at the end of the RUN", edits=edits) if edits else None,
    )


def _apk_index(step: Step) -> Iterator[Hit]:
    adds = [
        one
        for one in installs_of(step, "apk", "install")
        if not one.command.has("--no-cache", "--no-network")
        and one.option("--cache-dir") is None
        and one.option("--root", "-p") is None
    ]
    if not adds or off_layer(step, "/var/cache/apk", "/etc/apk/cache") or re.search(r"/var/cache/(?:apk|\*)", text_of(step)):
        return
    if installs_of(step, "apk", "update"):
        edits = appended(step, f"{sudo(adds[0])}rm -rf /var/cache/apk/*")
    else:
        edits = after_word("--no-cache", [action_span(one) for one in adds if in_place(step, action_span(one))])
    yield Hit(
        span=adds[0].command.span,
        message="apk add keeps its index in the layer",
        remedy="Write `apk add --no-cache`",
        fix=Fix(what="keep no index", edits=edits) if edits else None,
    )


def _dnf_cache(step: Step) -> Iterator[Hit]:
    installs = [one for one in installs_of(step, "dnf", "install", "group", "upgrade") if one.option("--installroot") is None]
    text = text_of(step)
    if not installs or re.search(r"\bclean\b|/var/cache/(?:dnf|yum|\*|tdnf)", text):
        return
    if off_layer(step, "/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5"):
        return
    tool = installs[-1].tool
    edits = () if installs[-1].command.inside else appended(step, f"{sudo(installs[-1])}{tool} clean all")
    yield Hit(
        span=installs[0].command.span,
        message=f"{tool} keeps its metadata and packages in the layer",
        remedy=f"End the same RUN with `&& {tool} clean all`",
        fix=Fix(what=f"end with {tool} clean all", edits=edits) if edits else None,
    )


APT_NO_RECOMMENDS = Rule(
    key="apt-no-recommends",
    severity="info",
    title="apt installs recommended packages too",
    why="What is recommended is often more than what was asked for, and each of it has to be updated and scanned.",
    remedy="Write `apt-get install --no-install-recommends`, and name what you do need of the recommended packages",
    source=BEST_PRACTICES,
)


@APT_NO_RECOMMENDS.check(Dockerfile)
def recommends(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get install without --no-install-recommends, where no configuration says the same."""
    for stage in dockerfile.kept:
        said = any(_NO_RECOMMENDS.search(text_of(step)) for one in stage.lineage for step in one.steps)
        for step in () if said else stage.steps:
            found = [
                one
                for one in installs_of(step, "apt", "install")
                if one.packages and one.tool != "aptitude" and not one.command.has("--no-install-recommends")
            ]
            if found:
                names = [package.name or package.url for package in found[0].packages]
                they = "it recommends" if len(set(names)) == 1 else "they recommend"
                message = f"{found[0].tool} installs {listed(names)} with everything that {they}"
                yield Hit(span=found[0].command.span, message=message)


APT_UPGRADE = Rule(
    key="apt-upgrade",
    severity="info",
    title="A build upgrades the packages of its base",
    why="What comes out depends on the day of the build, and every upgraded file lies in the image twice.",
    remedy="Take a newer tag or digest of the base, and rebuild often",
    source="https://docs.docker.com/build/building/best-practices/#rebuild-your-images-often",
)


@APT_UPGRADE.check(Dockerfile)
def upgrades(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get upgrade and its kin without names of packages."""
    for step in _kept_runs(dockerfile):
        for install in step.installs:
            if install.manager in ("apt", "apk", "dnf") and install.action == "upgrade" and not install.packages:
                yield Hit(span=install.command.span, message=f"{install.tool} upgrades all packages of the base")
                break
