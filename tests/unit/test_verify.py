"""Whether an image's model gives the answers of training, asked in a real container of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shipwheel.engines.find import Surroundings
from shipwheel.engines.runc.engine import runc_engine
from shipwheel.engines.runc.prune import find_unneeded
from shipwheel.errors import VerificationError
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import Image, RuntimeConfig
from shipwheel.oci.tree import Entry
from shipwheel.verify import LABEL, Verdict, Verifier, serves
from support.engines import runc_present
from support.images import image, layer

__all__ = ["runc_present"]

HERE = Platform.parse(f"linux/{os.uname().machine}")
REPORT = {"state": "ready", "reasons": [], "notes": [], "golden": "passed", "max_error": 0.0, "rows": 32, "mismatches": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A verifier with a home of its own, and what it said."""

    home: Path
    said: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})

    def verify(self, image: Image, delivery: str = "bake") -> Verdict:
        where = Surroundings(home=self.home, environment=self.environment)
        return Verifier(where=where, machine=HERE, say=self.said.append).verify(image, "wine:latest", delivery)

    @property
    def left_behind(self) -> list[str]:
        """Names and containers of its own that the verifier should have removed."""
        engine = runc_engine(self.home, {"PATH": os.environ["PATH"]})
        records = [path.name for path in find_unneeded(self.home, ()).records]
        return [*records, *(container.name for container in engine.containers())]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(home=tmp_path / "home")


def served(script: str, **config: object) -> Image:
    """An image whose `python` is a script: what it prints and how it ends."""
    python = Entry.data("usr/bin/python", f"#!/bin/sh\n{script}\n".encode(), 0o755)
    chosen = RuntimeConfig(
        cmd=("python", "-m", "shipwheel_serve"), user="1000:0", env={"PATH": "/usr/bin"}, labels={LABEL: "1"}
    )
    return replace(image(layer([python]), config=replace(chosen, **config)), platform=HERE)  # type: ignore[arg-type]


def printing(status: int = 0, **changes: object) -> Image:
    return served(f"echo '{{\"level\": \"info\"}}' >&2; echo '{json.dumps({**REPORT, **changes})}'; exit {status}")


@pytest.mark.runc
@pytest.mark.usefixtures("runc_present")
class TestInAContainer:
    def test_a_model_whose_golden_answers_come_out_passes(self, bench: Bench) -> None:
        verdict = bench.verify(printing(max_error=2.5e-7, notes=["numpy is 2.1, training had 2.0"]))
        assert str(verdict) == "verified: 32 golden rows, largest error 2.5e-07"
        assert verdict.notes == ("numpy is 2.1, training had 2.0",)
        assert verdict.seconds > 0
        assert bench.said == ["checking the model of wine:latest in its image"]
        assert bench.left_behind == []

    def test_a_verdict_is_remembered_and_nothing_is_run_again(self, bench: Bench) -> None:
        first = bench.verify(printing())
        bench.said.clear()
        without = replace(bench, environment={"PATH": "/nowhere", "DOCKER_HOST": "unix:///nowhere"})
        assert without.verify(printing()) == replace(first, seconds=0.0)
        assert bench.said == []

    @pytest.mark.parametrize(
        ("golden", "text"),
        [
            ("absent", "not verified: the model has no golden answers"),
            ("failed", "not verified: its golden answers differ (largest error 0.5), of which the settings only warn"),
            ("", "not verified: its golden answers were not compared"),
        ],
    )
    def test_a_model_that_is_ready_without_golden_answers_never_counts_as_passed(
        self, bench: Bench, golden: str, text: str
    ) -> None:
        verdict = bench.verify(printing(golden=golden, max_error=0.5))
        assert verdict.state != "passed"
        assert str(verdict).startswith(text)

    def test_a_model_that_would_not_be_ready_is_an_error_with_its_reasons(self, bench: Bench) -> None:
        wrong = printing(1, state="failed", reasons=["pandas is 2.0.3, training had 1.5.3", "day: largest error 11"])
        for _ in range(2):  # nothing is remembered of it
            with pytest.raises(VerificationError) as caught:
                bench.verify(wrong)
            assert [str(each) for each in caught.value.problems] == [
                "pandas is 2.0.3, training had 1.5.3",
                "day: largest error 11",
            ]
            assert "--no-verify" in caught.value.hint
        assert bench.left_behind == []

    def test_a_check_that_dies_shows_its_last_words(self, bench: Bench) -> None:
        with pytest.raises(VerificationError) as caught:
            bench.verify(served("echo \"ModuleNotFoundError: No module named 'shipwheel_serve'\" >&2; exit 1"))
        assert "the module 'shipwheel_serve' is missing in the image" in caught.value.message
        assert "| ModuleNotFoundError" in caught.value.message

    def test_a_report_of_a_check_that_ended_badly_does_not_count(self, bench: Bench) -> None:
        with pytest.raises(VerificationError, match="exit code 3"):
            bench.verify(printing(3))

    def test_a_command_that_the_image_lacks_is_an_error(self, bench: Bench) -> None:
        with pytest.raises(VerificationError, match="the command 'python' is not in the image"):
            bench.verify(printing_nothing())

    def test_the_check_sees_no_network_and_may_not_write(self, bench: Bench) -> None:
        words = '"ready", "reasons": [], "golden": "passed", "rows": 1, "notes": ["\'$found\'"]'
        script = (
            "found=$(ip -o link | grep -v lo: | grep -c UP); touch /app/x 2>/dev/null && found=writable; id -u >/tmp/x\n"
            f"echo '{{\"state\": {words}}}'"
        )
        verdict = bench.verify(served(script))
        assert verdict.notes == ("0",)

    def test_layers_stay_unpacked_for_the_next_run(self, bench: Bench) -> None:
        checked = printing()
        bench.verify(checked)
        assert {path.name for path in (bench.home / "unpacked").iterdir()} == {each.diff_id.hex for each in checked.layers}


def printing_nothing() -> Image:
    config = RuntimeConfig(cmd=("python",), user="1000:0", env={"PATH": "/usr/bin"}, labels={LABEL: "1"})
    return replace(image(config=config), platform=HERE)


def test_an_image_serves_a_model_where_its_label_says_so() -> None:
    assert not serves(image())
    assert serves(printing())


@pytest.mark.parametrize("delivery", ["download", "mount"])
def test_a_model_outside_of_the_image_is_not_verified(bench: Bench, delivery: str) -> None:
    verdict = bench.verify(printing(), delivery)
    assert str(verdict).startswith(f'not verified: the model is not in the image (delivery = "{delivery}")')
    assert bench.said == []


def test_an_image_for_another_processor_is_not_verified(bench: Bench) -> None:
    other = "arm64" if HERE.architecture == "amd64" else "amd64"
    verdict = bench.verify(replace(printing(), platform=Platform("linux", other)))
    assert str(verdict).startswith("not verified: this machine is")


def test_without_an_engine_nothing_is_verified(bench: Bench) -> None:
    nowhere = {"PATH": "/nowhere", "DOCKER_HOST": "unix:///nowhere", "CONTAINER_HOST": "unix:///nowhere"}
    verdict = replace(bench, environment=nowhere).verify(printing())
    assert verdict.state == "skipped"
    assert "no runc program is on PATH" in str(verdict)
    assert not (bench.home / "verified").exists()
