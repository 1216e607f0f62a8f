"""`make docs`: writes what of docs/ is made from the code; `--check` only says what is not current, with status 1."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from shipwheel import errors
from shipwheel.cli.main import VERBS, cli
from shipwheel.errors import ShipwheelError
from shipwheel.lint.rule import Rule, rules
from shipwheel.project import settings_schema
from shipwheel_serve import settings as service

DOCS = Path(__file__).parent
WIDTH = 100
"""Columns of help texts, whatever the terminal."""

NOTE = "<!-- Made by docs/generate.py from the code; change it there, then `make docs`. -->\n"


def pages() -> dict[str, str]:
    """The text of every generated file, by its path below docs/."""
    return {
        "reference/cli.md": _cli(),
        "reference/settings.md": _settings(settings_schema()),
        "reference/exit-status.md": _exit_status(),
        "reference/service-settings.md": _service_settings(),
        "reference/rules.md": _rules(),
        "settings.schema.json": json.dumps(settings_schema(), indent=2) + "\n",
    }


def _cli() -> str:
    sections = [
        "# Command line\n",
        NOTE,
        "stdout is data, stderr is talk: everything said for people goes to stderr, so output can be piped.\n",
        f"## shipwheel\n\n{_help(cli, 'shipwheel')}",
    ]
    group = click.Context(cli, info_name="shipwheel")
    for verb in VERBS:
        command = cli.get_command(group, verb)
        assert command
        sections.append(f"## shipwheel {verb}\n\n{_help(command, f'shipwheel {verb}')}")
        if isinstance(command, click.Group):
            sections += _below(command, f"shipwheel {verb}")
    return "\n".join(sections)


def _below(group: click.Group, name: str) -> Iterator[str]:
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command
        yield f"### {name} {word}\n\n{_help(command, f'{name} {word}')}"


def _help(command: click.Command, name: str) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=["--help"]
    )
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def _settings(schema: Mapping[str, Any]) -> str:
    run, serve, lint = (schema["$defs"][f"{name}Settings"] for name in ("Run", "Serve", "Lint"))
    return "\n".join(
        [
            "# Settings\n",
            NOTE,
            "In `[tool.shipwheel]` of pyproject.toml, or at the top of shipwheel.toml; not in both. Every key may be left out:",
            "it has a default, or is found in the project (`shipwheel init` shows what). Unknown keys are errors. The",
            "[JSON Schema](../settings.schema.json) is for editors.\n",
            *_table(schema["properties"]),
            "\n## [tool.shipwheel.run]\n",
            f"{run['description']}\n",
            *_table(run["properties"]),
            "\n## [tool.shipwheel.serve]\n",
            f"{serve['description']}\n",
            *_table(serve["properties"]),
            "\n## [tool.shipwheel.lint]\n",
            f"{lint['description']}\n",
            *_table(lint["properties"]),
            "",
        ]
    )


def _rules() -> str:
    head = [
        "# Rules of lint\n",
        NOTE,
        "`error`: it breaks or leaks; `warning`: it will cost you; `info`: better otherwise. Fix: `--fix` mends it where that",
        "is safe, or by hand. [How to use them](../how-to/lint.md).\n",
    ]
    return "\n".join([*head, *(line for rule in rules().values() for line in _rule(rule))])


def _rule(rule: Rule) -> Iterator[str]:
    fix = {"automatic": "--fix", "suggested": "by hand", "none": "none"}[rule.fix]
    off = ", off by default" if rule.off else ""
    yield f"## {rule.key}\n"
    yield f"{rule.title} ({rule.severity}{off}; fix: {fix}). {rule.reason}\n"
    yield f"Remedy: {rule.remedy}\n"
    yield f"Source: {rule.source}\n"


def _table(properties: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, value in properties.items():
        if "$ref" not in value:
            default = value.get("default")
            shown = f"`{json.dumps(default)}`" if default not in (None, [], {}) else ""
            yield f"| `{key}` | {_type(value)} | {shown} | {value['description'].replace('|', chr(92) + '|')} |"


def _type(value: Mapping[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_type(option) for option in value["anyOf"])
    if value["type"] == "array":
        return "list of texts"
    kind: str = value["type"]
    return {"object": "table of texts", "string": "text", "integer": "whole number"}.get(kind, kind)


_OF_THE_SERVICE = """# Settings of the service

{note}
The runtime reads `shipwheel.json` in its folder, which `shipwheel build` writes from
[`[tool.shipwheel.serve]`](settings.md#toolshipwheelserve); then the environment, over it; flags of `shipwheel serve` and
`python -m shipwheel_serve` come over both. Lists and tables in the environment are JSON; switches take 1, true, yes, on, 0,
false, no, off; sizes are bytes; an empty variable counts for nothing. Mistakes are an error at start that lists all of them.

    shipwheel run -e SHIPWHEEL_WORKERS=2 -e 'SHIPWHEEL_PACKAGES={{"pandas": "strict"}}'

| key | variables | type | default | meaning |
|---|---|---|---|---|
{rows}

Of several variables the first that is set counts.

## Variables of others

| variable | what the service makes of it |
|---|---|
| `OMP_NUM_THREADS`, `OPENBLAS_NUM_THREADS`, `MKL_NUM_THREADS` ... | stay as they are; those that are not set get `threads` |
| `CUDA_VISIBLE_DEVICES` | the GPUs that workers are spread over; `-1` or empty: none |
| `PROMETHEUS_MULTIPROC_DIR` | where the metrics of several workers meet; default: a folder below `/tmp` |
| `OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_ENDPOINT` or `..._TRACES_ENDPOINT` | ask for traces, with the extra `otel` |
| `AWS_*`, `GOOGLE_APPLICATION_CREDENTIALS` ... | credentials for downloads, read by fsspec's drivers |
"""


def _service_settings() -> str:
    texts = _attribute_texts(service.Settings)
    rows = [_service_row(item, texts[item.name]) for item in dataclasses.fields(service.Settings) if item.name != "root"]
    return _OF_THE_SERVICE.format(note=NOTE, rows="\n".join(rows))


def _service_row(item: dataclasses.Field[Any], text: str) -> str:
    default = item.default_factory() if callable(item.default_factory) else item.default
    shown = f"`{json.dumps(default)}`" if default not in ("", (), {}) else ""
    variables = (f"{service.PREFIX}{item.name.upper()}", *reversed(service.OTHER_NAMES.get(item.name, ())))
    kinds = {"str": "text", "int": "whole number", "float": "number", "bool": "boolean"}
    kind = kinds.get(str(item.type), "list" if str(item.type).startswith("tuple") else "table")
    return f"| `{item.name}` | {', '.join(f'`{each}`' for each in variables)} | {kind} | {shown} | {text} |"


def _attribute_texts(kind: type) -> dict[str, str]:
    """The text below each field of a dataclass, on one line."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for item, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(after, ast.Expr):
            text = ast.literal_eval(after.value)
            found[item.target.id] = " ".join(str(text).split()).replace("|", "\\|")
    return found


def _exit_status() -> str:
    rows = [
        f"| {status} | {', '.join(f'`{kind.__name__}`' for kind in kinds)} | {_first_lines(kinds)} |"
        for status, kinds in sorted(_by_status().items())
    ]
    return "\n".join(
        [
            "# Exit status\n",
            NOTE,
            "Every error is one line `error:` on stderr and, where there is one, a line `hint:`. The status says which kind:\n",
            "| status | errors (`shipwheel.errors`) | meaning |",
            "|---|---|---|",
            "| 0 | | It worked. |",
            *rows,
            "| 130 | | Stopped by Ctrl-C. |",
            "| 141 | | Who read the output went away. |",
            "",
            "`shipwheel exec` ends with the status of the command that it ran. A flag that a command lacks is status 2.",
            "",
        ]
    )


def _by_status() -> dict[int, list[type[ShipwheelError]]]:
    """The error types in the order of their module, without `ProblemsError`, which is only a form of the others."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ShipwheelError)]
    found: dict[int, list[type[ShipwheelError]]] = {}
    for kind in sorted(kinds, key=lambda kind: inspect.getsourcelines(kind)[1]):
        if kind is not errors.ProblemsError:
            found.setdefault(kind.exit_status, []).append(kind)
    return found


def _first_lines(kinds: Iterable[type[ShipwheelError]]) -> str:
    texts = (inspect.getdoc(kind) or "" for kind in kinds if kind is not ShipwheelError)
    return " ".join(text.partition("\n")[0] for text in texts) or "Another failure."


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    stale = [name for name, text in pages().items() if _read(DOCS / name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} is not current: run 'make docs'", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(pages()[name], encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
