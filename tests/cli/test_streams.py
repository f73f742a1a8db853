"""Streams that fail: a log that cannot be written costs no inventory, a lost result is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter

ExporterFor = Callable[[Cloud | None], Exporter]


def shell(exporter: Exporter, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $exporter stands for the command."""
    return subprocess.run(
        ["sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**exporter.environment, "exporter": f"{sys.executable} -m exporter", **environment},
        cwd=exporter.folder,
        timeout=300,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("failing", "format_"),
    [
        ("2>/dev/full", "json"),
        ("2>/dev/full", "console"),
        ("2>&-", "console"),
        ("0<&- 1>&- 2>&-", "json"),
    ],
    ids=["full", "full, in words", "closed, in words", "all closed"],
)
def test_an_export_whose_log_cannot_be_written_is_published(
    failing: str, format_: str, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    config = exporter.write_config()
    run = shell(exporter, f"$exporter export --config {config} --log-format {format_} {failing}")
    assert run.returncode == 0
    assert exporter.read().snapshot()


def test_an_export_whose_reader_leaves_is_published(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    config = exporter.write_config()
    line = f"( $exporter export --config {config}; echo $? >code ) 2>&1 | head -1"
    assert json.loads(shell(exporter, line).stdout)["event"]
    assert (exporter.folder / "code").read_text() == "0\n"
    assert exporter.read().snapshot()


def test_a_failure_that_cannot_be_told_ends_with_its_own_code(exporter_for: ExporterFor) -> None:
    run = shell(exporter_for(None), "$exporter export --config nowhere.yaml 2>/dev/full")
    assert run.returncode == 2


@pytest.mark.parametrize(
    ("command", "failing", "reason"),
    [
        *(
            (command, ">/dev/full", "No space left on device")
            for command in ("list", "list --json", "schema", "config schema", "--help")
        ),
        ("list", ">&-", "Bad file descriptor"),
        ("schema --format json", ">&-", "Bad file descriptor"),
        ("--help", ">&-", "Bad file descriptor"),
    ],
)
def test_a_result_that_cannot_be_written_ends_with_a_sentence(
    command: str, failing: str, reason: str, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(None)
    exporter.output.mkdir()  # `list` has something to look at.
    run = shell(exporter, f"$exporter {command} {failing}")
    assert run.stderr == (f"registry-exporter: The result cannot be written to stdout: {reason}.\n")
    assert run.returncode == 5


def test_a_summary_that_cannot_be_written_changes_nothing_about_the_run(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    line = f"$exporter export --config {exporter.write_config()} --quiet --summary-json -"
    run = shell(exporter, f"{line} >/dev/full")
    assert run.returncode == 0
    assert run.stderr == (
        "registry-exporter: The result cannot be written to stdout: No space left on device.\n"
    )


def test_a_result_whose_reader_leaves_ends_without_a_word(exporter_for: ExporterFor) -> None:
    run = shell(exporter_for(None), "$exporter schema | head -1")
    assert run.stderr == ""
    assert run.stdout.startswith("clouds ")


def test_letters_that_the_terminal_lacks_end_nothing(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    assert exporter.run().code == 0
    for line in (
        f"$exporter verify --output {exporter.output}",
        f"$exporter export --config {exporter.write_config()} --log-format console",
    ):
        run = shell(exporter, line, PYTHONIOENCODING="ascii")
        assert run.returncode == 0, run.stderr
        assert "This is a bug" not in run.stderr


def test_json_is_utf8_whatever_the_terminal_speaks(exporter_for: ExporterFor) -> None:
    exporter = exporter_for(None)
    manifests = exporter.output / "manifests"
    manifests.mkdir(parents=True)
    (manifests / "né.json").write_text("broken")
    run = shell(
        exporter, f"$exporter list --json --output {exporter.output}", PYTHONIOENCODING="ascii"
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)[0]["snapshot_id"] == "né"
