"""The images that a Dockerfile names: FROM, COPY --from, RUN --mount=from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.images.names import ImageFacts, ImageName, facts_of, parse_image
from shipwheel.lint.source import Span

_NOTHING = ImageFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image that is not a stage of the file, where it is named, and the stage that is built on it (None for a copy)."""

    image: ImageName
    span: Span
    stage: Stage | None = None

    @property
    def facts(self) -> ImageFacts:
        """What is known of it."""
        return facts_of(self.image)

    @property
    def surely_image(self) -> bool:
        """Whether it can be no context of `--build-context` or of bake, which are named in the same places."""
        return "/" in self.image.repository or bool(self.image.tag) or self.facts != _NOTHING


def references(dockerfile: Dockerfile) -> Iterator[Reference]:
    """All of them in order; those with a variable that has no value only where a part of the name is known."""
    for stage in dockerfile.stages:
        if stage.image and not stage.image.repository.startswith("$"):
            yield Reference(image=stage.image, span=stage.base.span, stage=stage)
        for step in stage.steps:
            named = [(step.copies_from, flag.value_span) for flag in step.flags if flag.name == "from"]
            named += [(mount.options.get("from", ""), mount.span) for mount in step.mounts]
            for name, span in named:
                if name and not name.startswith("$") and name != "scratch" and dockerfile.stage(name) is None:
                    yield Reference(image=parse_image(name), span=span)
