"""`LazyGroup`: commands that are imported when they are called, so that `--help` and short commands start at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from shipwheel.errors import UsageError


class LazyGroup(click.Group):
    """Commands by their words and one line each; the `command` of a word is in the module of this prefix and the word."""

    def __init__(self, *args: Any, lines: Mapping[str, str], modules: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lines, self._modules = lines, modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one uses them."""
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The word's `command`, or None where it is none."""
        if cmd_name not in self._lines:
            return None
        module = importlib.import_module(f"{self._modules}{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its words.

        Raises:
            UsageError: there is no such command; the hint has one that is written nearly so.
        """
        word = args[0]
        if word not in self._lines and not word.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(word, self._lines, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"'{ctx.command_path} --help' lists them"
            raise UsageError(f"there is no command '{word}'", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))
