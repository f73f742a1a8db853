"""`completion`: what a shell reads to complete this command's lines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer import completion as typers

from exporter.cli.groups import new_app
from exporter.cli.terminal.invocation import COMPLETE_VARIABLE, NAME

app = new_app()


class Shell(StrEnum):
    """A shell that lines are completed in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="For which shell.")],
) -> None:
    """Print the script with which a shell completes this command's lines.

    \b
    Examples, each for all shells from the next one on:
      registry-exporter completion bash \\
        > ~/.local/share/bash-completion/completions/registry-exporter
      registry-exporter completion zsh > "${fpath[1]}/_registry-exporter"
      registry-exporter completion fish \\
        > ~/.config/fish/completions/registry-exporter.fish
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    named = {"prog_name": NAME, "complete_var": COMPLETE_VARIABLE, "shell": shell.value}
    typer.echo(typers.get_completion_script(**named))  # type: ignore[attr-defined] # it is there
