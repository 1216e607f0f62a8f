"""What pyproject.toml says of a project, as annotations."""

from typing import Any

import pytest

from shipwheel.project.about import find_about


def about(**project: Any) -> dict[str, str]:
    return {key.removeprefix("org.opencontainers.image."): text for key, text in find_about(project).items()}


def test_name_version_and_description_are_as_written() -> None:
    told = about(name="My_App", version="1.0", description="Says so")
    assert told == {"title": "My_App", "version": "1.0", "description": "Says so"}


def test_a_version_that_the_build_backend_finds_is_not_guessed() -> None:
    assert "version" not in about(name="app", dynamic=["version"])


def test_nothing_is_said_of_a_folder_without_a_project() -> None:
    assert about() == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ({"text": "MIT"}, "MIT"),
        ({"text": "Copyright (c) 2020\n\nPermission is hereby granted"}, None),
        ({"file": "LICENSE"}, None),
        ("Proprietary and secret", None),
        (3, None),
    ],
)
def test_a_licence_is_an_spdx_expression_or_left_out(value: object, said: str | None) -> None:
    assert about(license=value).get("licenses") == said


def test_authors_have_names_addresses_or_both() -> None:
    people = [{"name": "Ann", "email": "ann@example.org"}, {"name": "Bo"}, {"email": "cy@example.org"}, "Dan"]
    assert about(authors=people)["authors"] == "Ann <ann@example.org>, Bo, cy@example.org"


def test_well_known_labels_of_urls_are_found_in_any_spelling() -> None:
    urls = {
        "Home-Page": "https://a.example",
        "Source Code": "https://b.example",
        "docs": "https://c.example",
        "Funding": "https://d",
    }
    assert about(urls=urls) == {"url": "https://a.example", "source": "https://b.example", "documentation": "https://c.example"}


def test_the_first_of_several_labels_for_one_thing_wins() -> None:
    assert about(urls={"Repository": "https://a.example", "Source": "https://b.example"})["source"] == "https://a.example"


def test_what_is_no_web_address_is_left_out() -> None:
    assert about(urls={"Source": "/home/ann/app"}) == {}
