"""`completion`: print a script that completes this program's command lines in a shell."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer import completion as typers

from exporter.cli.groups import new_app
from exporter.cli.terminal.invocation import COMPLETE_VARIABLE, NAME

app = new_app()


class Shell(StrEnum):
    """A shell for which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")],
) -> None:
    """Print a script for a shell that completes this program's command lines.

    \b
    Examples, each for shells that are started afterwards:
      registry-exporter completion bash \\
        > ~/.local/share/bash-completion/completions/registry-exporter
      registry-exporter completion zsh > "${fpath[1]}/_registry-exporter"
      registry-exporter completion fish \\
        > ~/.config/fish/completions/registry-exporter.fish
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    named = {"prog_name": NAME, "complete_var": COMPLETE_VARIABLE, "shell": shell.value}
    typer.echo(typers.get_completion_script(**named))  # type: ignore[attr-defined] # it is there
