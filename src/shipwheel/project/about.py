"""What pyproject.toml tells people of a project, as annotations of its images (OCI image-spec, annotations.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shipwheel.project.locate import table_at

PREFIX = "org.opencontainers.image."

_TEXTS = {"name": "title", "version": "version", "description": "description"}
_WEB = ("http://", "https://")
_URLS = {
    "homepage": "url",
    "source": "source",
    "repository": "source",
    "sourcecode": "source",
    "github": "source",
    "documentation": "documentation",
    "docs": "documentation",
}
"""Labels of `[project.urls]` that everyone understands alike (PyPA, "Well-known project URLs")."""


def find_about(project: Mapping[str, object]) -> Mapping[str, str]:
    """The annotations that follow from `[project]`, sorted; what it leaves to its build backend is not guessed."""
    return {f"{PREFIX}{name}": text for name, text in sorted(_found(project)) if text}


def _found(project: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for key, name in _TEXTS.items() if isinstance(value := project.get(key), str))
    yield "licenses", _license(project.get("license"))
    yield "authors", ", ".join(_people(project.get("authors")))
    urls = {_URLS.get(_label(key)): value for key, value in reversed([*table_at(project, "urls").items()])}
    yield from ((name, url) for name, url in urls.items() if name and isinstance(url, str) and url.startswith(_WEB))


def _label(text: str) -> str:
    """A label as all spellings of it compare."""
    return "".join(character for character in text.lower() if character.isalnum())


def _license(value: object) -> str:
    """An SPDX expression (PEP 639), or the older table's text where it is one; a licence's whole text is none."""
    text = value.get("text") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        return ""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""


def _people(authors: object) -> Iterator[str]:
    for each in authors if isinstance(authors, list) else ():
        if isinstance(each, Mapping):
            name, email = str(each.get("name") or ""), str(each.get("email") or "")
            yield f"{name} <{email}>" if name and email else name or email
