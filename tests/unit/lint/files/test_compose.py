"""Compose files and manifests as subjects."""

from pathlib import Path

import pytest

from shipwheel.lint.files.compose import Volume, environment, filled, load_compose, volumes_of, words_of
from shipwheel.lint.files.manifest import load_manifest
from shipwheel.lint.files.subjects import Compose, Node
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace


def compose(text: str, name: str = "compose.yaml") -> Compose:
    found = load_compose(Source(name=name, text=text), Workspace())
    assert found
    return found


def service(text: str) -> Node:
    return compose(f"services:\n  a:\n    {text}\n").services["a"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "services: [a]\n",
        "services:\n  a: {x: 1}\n",
        "apiVersion: v1\nkind: A\nservices: {a: {image: b}}\n",
        "",
        "services:\n",
    ],
)
def test_other_yaml_is_no_compose_file(text: str) -> None:
    assert load_compose(Source(name="values.yaml", text=text), Workspace()) is None


def test_a_compose_file_of_any_name_is_known_by_its_services() -> None:
    assert compose("services:\n  a: {image: b}\n", "deploy.yml").services.keys() == {"a"}


def test_a_broken_compose_file_has_faults() -> None:
    assert compose("services:\n  a: [\n").faults


def test_a_service_has_what_it_extends() -> None:
    base = "{image: a, ports: ['1'], environment: {A: 1}}"
    text = f"services:\n  base: {base}\n  b: {{extends: base, ports: ['2'], environment: {{B: 2}}}}\n"
    found = compose(text).services["b"]
    assert [port.text for port in found.get("ports").value] == ["1", "2"]  # type: ignore[union-attr]
    assert [name for name, _ in environment(found)] == ["A", "B"]
    assert found.get("extends") is None


def test_a_service_has_what_it_extends_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text("services:\n  base: {image: a:1}\n")
    text = "services:\n  b: {extends: {service: base, file: base.yml}}\n  c: {extends: {service: base, file: none.yml}}\n"
    found = load_compose(Source(name="compose.yaml", text=text, path=tmp_path / "compose.yaml"), Workspace(root=tmp_path))
    assert found
    assert found.services["b"].get("image").text == "a:1"  # type: ignore[union-attr]
    assert found.services["c"].get("extends")


def test_services_that_extend_each_other_end() -> None:
    assert compose("services:\n  a: {extends: b}\n  b: {extends: a}\n").services.keys() == {"a", "b"}


def test_variables_of_a_service_in_both_forms() -> None:
    listed = environment(service("environment: [A=1, B, 'C=x=y']"))
    assert [(name, node.text) for name, node in listed] == [("A", "1"), ("C", "x=y")]
    mapped = environment(service("environment: {A: 1, B: }"))
    assert [(name, node.text) for name, node in mapped] == [("A", "1"), ("B", "")]


@pytest.mark.parametrize(
    ("written", "source", "target", "kind"),
    [
        ("data:/var/lib/x:ro", "data", "/var/lib/x", "volume"),
        ("./a:/b", "./a", "/b", "bind"),
        ("/var/lib/x", "", "/var/lib/x", "volume"),
        ("C:\\a:/b", "C:\\a", "/b", "bind"),
        ("${D:-data}:/x", "data", "/x", "volume"),
        ("{type: tmpfs, target: /x}", "", "/x", "tmpfs"),
    ],
)
def test_volumes_in_both_forms(written: str, source: str, target: str, kind: str) -> None:
    text = written if written.startswith("{") else f"'{written}'"
    found = volumes_of(service(f"volumes: [{text}]"))
    assert [(one.source, one.target, one.kind) for one in found] == [(source, target, kind)]
    assert isinstance(found[0], Volume)


def test_words_of_commands() -> None:
    assert words_of(service("command: a 'b c'").get("command")) == ("a", "b c")
    assert words_of(service("command: [a, b c]").get("command")) == ("a", "b c")
    assert words_of(service("command: a 'b").get("command")) == ("a", "'b")
    assert filled("${A:-x}:${B-1}${C}") == "x:1${C}"


HEAD = "apiVersion: a/v1\nkind: {}\nmetadata: {{name: n}}\nspec:\n"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", "  containers: [{name: a, image: b}]\n"),
        ("CronJob", "  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: b}]}}}}\n"),
        ("PyTorchJob", "  pytorchReplicaSpecs: {Master: {template: {spec: {containers: [{name: a, image: b}]}}}}\n"),
        ("RayCluster", "  workerGroupSpecs: [{template: {spec: {containers: [{name: a, image: b}]}}}]\n"),
        ("Service", "  template: {spec: {containers: [{image: b}]}}\n"),
        ("InferenceService", "  predictor: {containers: [{name: a, image: b}]}\n"),
        ("InferenceService", "  predictor: {model: {modelFormat: {name: sklearn}}}\n"),
        ("ServingRuntime", "  containers: [{name: a, image: b}]\n"),
        ("SeldonDeployment", "  predictors: [{componentSpecs: [{spec: {containers: [{name: a, image: b}]}}]}]\n"),
    ],
)
def test_pods_are_found_in_every_kind(kind: str, spec: str) -> None:
    found = load_manifest(Source(name="a.yaml", text=HEAD.format(kind) + spec), Workspace())
    assert found
    assert [(one.kind, one.name, len(one.containers)) for one in found.workloads] == [(kind, "n", 1)]


def test_lists_and_documents_are_taken_apart() -> None:
    pod = "{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b}]}}"
    text = f"apiVersion: v1\nkind: List\nitems: [{pod}, {pod}]\n---\n{pod}\n"
    found = load_manifest(Source(name="a.yaml", text=text.replace("\n---\n", "\n---\n")), Workspace())
    assert found
    assert len(found.workloads) == 3


@pytest.mark.parametrize(
    "text", ["a: 1\n", "apiVersion: v1\nkind: {{ .x }}\n", "apiVersion: v1\n", HEAD.format("CustomResourceDefinition")]
)
def test_other_yaml_has_no_workloads(text: str) -> None:
    found = load_manifest(Source(name="a.yaml", text=text), Workspace())
    assert found is None or not found.workloads
