"""Groups of commands: the top-level one imports a command's module when that command is called.

`--help` and completion need a name and a sentence of each command, and the modules take half a
second to import: the commands of an export import PyArrow, DuckDB and aiohttp.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from exporter.cli.process.memory import importing

COMMANDS = {
    "export": "Take an inventory and publish it as a snapshot.",
    "plan": "Show what an export would list, without listing images or writing anything.",
    "demo": "Export a made-up cloud or registry: no account, no credentials, no network.",
    "list": "List the snapshots: status, age, images, stored size, bytes on disk, source and "
    "scope.",
    "query": "Ask a snapshot in SQL, or ask a named question.",
    "diff": "Show what differs between two snapshots: images, tags, repositories, registries, "
    "sizes.",
    "history": "Show which images a tag pointed to, or with --sizes how a scope grew.",
    "reclaim": "Show what deleting some images would free, exactly as it is billed.",
    "load": "Bring published snapshots into a warehouse.",
    "report": "Make a report about a snapshot: one HTML file that opens without a network.",
    "verify": "Check a snapshot: files, rows, keys, formats and totals.",
    "prune": "Remove the complete snapshots that no rule keeps, and the remains of killed runs.",
    "schema": "Print the columns of a snapshot's tables, each with its type and its meaning.",
    "emulate": "Serve a made-up cloud or registry on this machine until stopped.",
    "completion": "Print a script for a shell that completes this program's command lines.",
    "config": "Check the settings, or print their schema.",
}
"""The commands in the order of the help, each with the first sentence of its own help.

The module `exporter.cli.<name>` holds the command.
"""

_LONGEST = 1000


class CommandGroup(TyperGroup):
    """A group whose help has each command's whole first sentence: Typer cuts a long one."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their first sentences."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(_LONGEST)) for name, one in commands if one]
            )


class LazyGroup(CommandGroup):
    """The group of `COMMANDS`: it holds their names and sentences, and loads the one that runs."""

    def __init__(self, **settings: Any) -> None:
        settings["commands"] = {
            name: TyperCommand(name, help=sentence) for name, sentence in COMMANDS.items()
        }
        super().__init__(**settings)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the arguments name, from its own module."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load_command(str(command.name)), rest


def new_app(*, cls: type[TyperGroup] = CommandGroup, **settings: Any) -> typer.Typer:
    """Return an empty Typer application for the command or the group of one module."""
    return typer.Typer(
        cls=cls,
        # Plain help: rich would take longer to load than all the rest of `--help`.
        rich_markup_mode=None,
        # Typer's own tracebacks show local variables, and those may hold a token.
        pretty_exceptions_enable=False,
        add_completion=False,
        **settings,
    )


def load_command(name: str) -> Any:
    """Import a command's module, and return the command as Typer and Click run it."""
    with importing():
        return typer.main.get_command(import_module(f"exporter.cli.{name}").app)
