"""SBOMs and provenance, held to the formats' own schemas and validators."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from shipwheel.attest.cyclonedx import cyclonedx
from shipwheel.attest.documents import documents
from shipwheel.attest.evidence import Evidence, decode, encode
from shipwheel.attest.parts import list_parts
from shipwheel.attest.provenance import provenance
from shipwheel.attest.spdx import spdx
from shipwheel.errors import LockError
from shipwheel.lock import Lock, PlatformLock, dump_lock
from shipwheel.oci.blob import Digest, Platform
from support.evidence import AMD64, ARM64, BASE, EVIDENCE, ON_BASE

BARE = Evidence(name="app", lock=Lock(fingerprint="", python="3.11", suite="trixie", platforms=(PlatformLock(platform=AMD64),)))
ALL = {"everything": EVIDENCE, "a base": replace(EVIDENCE, lock=ON_BASE), "nothing": BARE}


@pytest.mark.parametrize("name", ALL)
def test_cyclonedx_passes_its_own_strict_schema(name: str) -> None:
    text = json.dumps(cyclonedx(ALL[name], AMD64))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize("name", ALL)
def test_spdx_passes_its_own_validator(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sbom.spdx.json"
    path.write_text(json.dumps(spdx(ALL[name], AMD64)))
    assert validate_full_spdx_document(parse_file(str(path))) == []


@pytest.mark.parametrize("name", ALL)
def test_every_purl_is_spelled_as_its_specification_says(name: str) -> None:
    purls = [part.purl for part in list_parts(ALL[name], AMD64) if part.purl]
    assert [PackageURL.from_string(purl).to_string() for purl in purls] == purls


def test_every_wheel_deb_and_model_file_is_listed_with_its_hash() -> None:
    listed = {part.purl: part.sha256 for part in list_parts(EVIDENCE, AMD64)}
    assert listed["pkg:pypi/torch@2.13.0%2Bcpu"] == "c" * 64
    assert listed["pkg:pypi/typing-extensions@4.12"] == "d" * 64
    assert listed["pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"] == "a" * 64
    assert listed["pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12"] == "b" * 64
    assert {"pkg:pypi/alpha@1.0", "pkg:pypi/gamma@3.0"} <= listed.keys()
    assert f"pkg:pypi/beta@2.0?vcs_url=git%2Bhttps://git.example.org/beta%40{'f' * 40}" in listed
    (model,) = [each for each in cyclonedx(EVIDENCE, AMD64)["components"] if each["type"] == "machine-learning-model"]
    assert {file["name"]: file["hashes"][0]["content"] for file in model["components"]} == {
        "model/bundle.json": "1" * 64,
        "model/ä+b.skops": "2" * 64,
    }


def test_both_formats_list_the_same(tmp_path: Path) -> None:
    in_cyclonedx = {(each["name"], each.get("version", "")) for each in cyclonedx(EVIDENCE, AMD64)["components"]}
    packages = spdx(EVIDENCE, AMD64)["packages"][1:]
    files = {file.path for file in EVIDENCE.model}
    assert {(each["name"], each.get("versionInfo", "")) for each in packages if each["name"] not in files} == in_cyclonedx
    assert files <= {each["name"] for each in packages}


def test_a_base_from_a_registry_is_named_by_digest_and_its_contents_are_not_claimed() -> None:
    document = cyclonedx(replace(EVIDENCE, lock=ON_BASE), AMD64)
    (base,) = [each for each in document["components"] if each["type"] == "container"]
    where = "repository_url=docker.io/library/python&tag=3.12-slim"
    assert base["purl"] == f"pkg:oci/python@{BASE.digest}?arch=amd64&{where}"
    assert document["compositions"][0]["aggregate"] == "incomplete"
    relations = spdx(replace(EVIDENCE, lock=ON_BASE), AMD64)["relationships"]
    assert [each["relationshipType"] for each in relations].count("DESCENDANT_OF") == 1


def test_a_base_that_was_pinned_by_hand_has_no_tag() -> None:
    base = replace(BASE, reference=f"ghcr.io/team/base@{BASE.digest}")
    lock = replace(ON_BASE, platforms=(replace(ON_BASE.platforms[0], base=base),))
    (part,) = [each for each in list_parts(replace(EVIDENCE, lock=lock), AMD64) if each.kind == "base"]
    assert part.purl == f"pkg:oci/base@{BASE.digest}?arch=amd64&repository_url=ghcr.io/team/base"


def test_packages_on_a_base_are_of_its_distribution() -> None:
    purls = [part.purl for part in list_parts(replace(EVIDENCE, lock=ON_BASE), AMD64) if part.kind == "deb"]
    assert all("distro=debian-12" in purl for purl in purls)


@pytest.mark.parametrize("lock", [EVIDENCE.lock, ON_BASE])
def test_the_system_is_named_so_that_scanners_know_its_advisories(lock: Lock) -> None:
    components = cyclonedx(replace(EVIDENCE, lock=lock), AMD64)["components"]
    assert [(each["name"], each["version"]) for each in components if each["type"] == "operating-system"] == [("debian", "12")]
    packages = spdx(replace(EVIDENCE, lock=lock), AMD64)["packages"]
    (system,) = [each for each in packages if each.get("primaryPackagePurpose") == "OPERATING-SYSTEM"]
    assert (system["name"], system["versionInfo"]) == ("debian", "12")


def test_sboms_depend_on_the_lock_and_the_project_alone() -> None:
    later = replace(EVIDENCE, revision=None, parameters={"bytecode": False})
    for make in (cyclonedx, spdx):
        assert make(later, AMD64) == make(EVIDENCE, AMD64)
        assert make(EVIDENCE, ARM64) != make(EVIDENCE, AMD64)
        newer = replace(EVIDENCE, about={**EVIDENCE.about, "org.opencontainers.image.version": "1.3"})
        assert _identity(make(newer, AMD64)) != _identity(make(EVIDENCE, AMD64))


def _identity(document: dict[str, Any]) -> str:
    return str(document.get("serialNumber") or document.get("documentNamespace"))


def test_spdx_is_dated_by_the_newest_index_of_the_lock() -> None:
    assert spdx(EVIDENCE, AMD64)["creationInfo"]["created"] == "2026-11-01T02:03:04Z"
    assert spdx(BARE, AMD64)["creationInfo"]["created"] == "1980-01-01T00:00:00Z"


def test_provenance_names_commit_lock_base_and_model() -> None:
    predicate = provenance(replace(EVIDENCE, lock=ON_BASE), AMD64)
    build = predicate["buildDefinition"]
    assert build["externalParameters"] == {
        "source": {"uri": "git+https://git.example.org/iris"},
        "platform": "linux/amd64",
        "settings": {"port": 8080},
        "bytecode": True,
    }
    assert build["resolvedDependencies"] == [
        {"uri": f"git+https://git.example.org/iris@{'3' * 40}", "digest": {"gitCommit": "3" * 40}},
        {"name": "shipwheel.lock", "digest": {"sha256": hashlib.sha256(dump_lock(ON_BASE).encode()).hexdigest()}},
        {"name": "model/bundle.json", "digest": {"sha256": "1" * 64}},
        {"name": "model/ä+b.skops", "digest": {"sha256": "2" * 64}},
        {"uri": list_parts(replace(EVIDENCE, lock=ON_BASE), AMD64)[2].purl, "digest": {"sha256": "9" * 64}},
    ]
    assert predicate["runDetails"]["builder"]["version"] == {"shipwheel": "0.1.0"}


def test_provenance_without_a_commit_claims_none() -> None:
    build = provenance(BARE, AMD64)["buildDefinition"]
    assert [each["name"] for each in build["resolvedDependencies"]] == ["shipwheel.lock"]
    assert "source" not in build["externalParameters"]


def test_a_statement_is_about_one_digest() -> None:
    made = [json.loads(each.statement("host/app", Digest("5" * 64))) for each in documents(EVIDENCE, AMD64)]
    assert {each["_type"] for each in made} == {"https://in-toto.io/Statement/v1"}
    assert all(each["subject"] == [{"name": "host/app", "digest": {"sha256": "5" * 64}}] for each in made)
    assert [each["predicateType"] for each in made] == [
        "https://cyclonedx.org/bom",
        "https://spdx.dev/Document",
        "https://slsa.dev/provenance/v1",
    ]


def test_another_platform_than_the_lock_s_is_refused() -> None:
    with pytest.raises(LockError):
        documents(EVIDENCE, Platform("linux", "riscv64"))


@pytest.mark.parametrize("name", ALL)
def test_evidence_is_kept_whole(name: str) -> None:
    kept = decode(encode(ALL[name]))
    assert encode(kept) == encode(ALL[name])
    assert kept.about == ALL[name].about
    assert documents(kept, AMD64) == documents(ALL[name], AMD64)
