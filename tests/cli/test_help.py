"""What a newcomer sees first: help with an example for every command, fast, and usage errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from exporter import __version__
from exporter.cli import groups, options
from exporter.cli.app import app
from exporter.settings.environment import leaves
from exporter.settings.load import FLAGS
from exporter.settings.output import Format
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter

COMMANDS = (
    ("export",),
    ("plan",),
    ("demo",),
    ("list",),
    ("query",),
    ("diff",),
    ("history",),
    ("reclaim",),
    ("load",),
    ("report",),
    ("verify",),
    ("prune",),
    ("schema",),
    ("emulate",),
    ("completion",),
    ("config", "check"),
    ("config", "schema"),
)
HEAVY = ("pyarrow", "duckdb", "aiohttp", "pydantic", "rich", "structlog", "yaml", "orjson")
MODULES = tuple(f"exporter.cli.{name}" for name in groups.COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"], prog_name="registry-exporter")
    assert shown.exit_code == 0
    assert f"Usage: registry-exporter {' '.join(command)}" in shown.output
    assert "Example" in shown.output
    assert f"registry-exporter {' '.join(command)}" in shown.output.split("Example")[1]


def test_the_short_help_of_a_command_is_the_first_sentence_of_its_own() -> None:
    assert set(groups.COMMANDS) == {command[0] for command in COMMANDS}
    for name, sentence in groups.COMMANDS.items():
        assert groups.load_command(name).get_short_help_str(1000) == sentence


def main_and_imports(*arguments: str, **environment: str) -> str:
    """Run the program; return its output, and then what it imported of `HEAVY` and `MODULES`."""
    code = (
        "import os, sys\n"
        "from exporter.cli.app import main\n"
        "def leave(code):\n"
        f"    imported = [name for name in {HEAVY + MODULES} if name in sys.modules]\n"
        "    print('exit', code, 'imported', imported, flush=True)\n"
        "    end(code)\n"
        "end, os._exit = os._exit, leave\n"
        f"sys.argv = {['registry-exporter', *arguments]}\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_help_lists_every_command_and_imports_neither_their_modules_nor_heavy_ones() -> None:
    shown = main_and_imports("--help")
    assert "exit 0 imported []" in shown
    for name in {command[0] for command in COMMANDS}:
        assert f"\n  {name} " in shown


def test_a_shell_is_told_the_commands_without_their_modules() -> None:
    asked = {
        "_REGISTRY_EXPORTER_COMPLETE": "complete_bash",
        "COMP_WORDS": "registry-exporter ",
        "COMP_CWORD": "1",
    }
    *found, imported = main_and_imports(**asked).splitlines()
    assert set(found) == {command[0] for command in COMMANDS}
    assert "exporter.cli." not in imported


def test_a_command_that_is_called_imports_no_module_of_another() -> None:
    shown = main_and_imports("completion", "bash")
    imported = shown.rpartition("imported ")[2]
    assert [name for name in MODULES if name in imported] == ["exporter.cli.completion"]


def test_a_command_that_cannot_be_imported_ends_with_a_sentence(tmp_path: Path) -> None:
    package = tmp_path / "pyarrow"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libarrow.so: no such file')")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "export"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("registry-exporter: This is a bug")
    assert said.endswith("ImportError: libarrow.so: no such file")


@pytest.mark.parametrize("command", [(), ("config",), *COMMANDS], ids=" ".join)
def test_no_sentence_of_the_help_is_cut_or_wider_than_a_terminal(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(
        app, [*command, "--help"], prog_name="registry-exporter", terminal_width=80
    )
    lines = [line for line in shown.output.splitlines() if not line.startswith("Usage:")]
    assert [line for line in lines if len(line) > 80 or "..." in line] == []


COMPLETE = """
source <("{program}" completion bash)
COMP_WORDS=(registry-exporter {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_registry_exporter_completion "{program}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ver", {"verify"}),
        ("export --met", {"--metrics-file", "--metrics-job"}),
        ("export --log-format j", {"json"}),
        ("config check --c", {"--config"}),
    ],
)
def test_bash_completes_commands_flags_and_values(words: str, found: set[str]) -> None:
    program = Path(sys.executable).with_name("registry-exporter")
    script = COMPLETE.format(program=program, words=words)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == found, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_and_are_answered_with_what_a_command_does(shell: str) -> None:
    program = Path(sys.executable).with_name("registry-exporter")
    script = subprocess.check_output([program, "completion", shell], text=True)
    assert f"_REGISTRY_EXPORTER_COMPLETE=complete_{shell}" in script
    asked = {
        "_REGISTRY_EXPORTER_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "registry-exporter ver",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([program], env=asked, capture_output=True, text=True, check=True)
    assert "verify" in done.stdout
    assert "Check a snapshot" in done.stdout


def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.output == f"registry-exporter {__version__}\n"


@pytest.mark.parametrize(
    ("line", "words", "command"),
    [
        ("exprot", "No such command 'exprot'", ""),
        ("--bogus", "No such option: --bogus", ""),
        ("export --bogus", "No such option: --bogus", " export"),
        ("export --format csv", "'--format': 'csv' is not one of 'parquet', 'ndjson'", " export"),
        ("export --concurrency many", "--concurrency", " export"),
        ("export --concurrency", "'--concurrency' requires an argument", ""),
        ("prune --keep-last -1", "--keep-last", " prune"),
        ("list too many", "unexpected", " list"),
        ("config chekc", "No such command 'chekc'", " config"),
        ("list y0_AgAAAAB-planted-oauth-token", "([redacted])", " list"),
    ],
)
def test_a_mistyped_command_line_ends_with_2_and_one_sentence_that_names_the_help(
    line: str, words: str, command: str, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    done = exporter_for(None).command(*line.split())
    assert done.code == 2
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert said.startswith("registry-exporter: ")
    assert words in said
    assert said.endswith(f" (see `registry-exporter{command} --help`).")


@pytest.mark.parametrize("line", ["", "config"])
def test_who_names_no_command_is_shown_those_that_there_are(
    line: str, exporter_for: Callable[[Cloud | None], Exporter]
) -> None:
    done = exporter_for(None).command(*line.split())
    assert done.code == 2
    assert "Usage: registry-exporter" in done.stderr
    assert "check" in done.stderr or "export" in done.stderr


def test_the_formats_of_the_flag_are_those_of_the_setting() -> None:
    assert {one.value for one in options.Format} == set(get_args(Format))


def test_the_flags_that_refusals_name_are_those_of_the_settings() -> None:
    shown = "".join(
        CliRunner().invoke(app, [one, "--help"]).output for one in ("export", "reclaim", "load")
    )
    assert [flag for flag in FLAGS.values() if flag not in shown] == []
    told = options.settings_flags(
        output="o",
        formats=[options.Format.NDJSON],
        concurrency=1,
        folders=["f"],
        registries=["r"],
        clouds=["c"],
        source="oci",
        registry_urls=["u"],
        price="0.02",
        currency="USD",
        to="duckdb:w",
        schema="s",
        tables=["t"],
        partial=True,
    )
    assert set(leaves(told)) == set(FLAGS)
