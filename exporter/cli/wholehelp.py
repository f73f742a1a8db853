"""Help that says each command's sentence to its end: Typer cuts what is longer than a line."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_LONGEST = 1000


class WholeHelp(TyperGroup):
    """A group of commands whose first sentences are folded, not cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their first sentences."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(_LONGEST)) for name, one in commands if one]
            )
