"""`export` as cron and a person run it: exit codes, what is said, and files for other programs."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.emulator import Behaviour, Faults, Quirks
from exporter.staging.workspace import staging_root
from exporter.storage.lock import Lock
from exporter.storage.opening import open_destination
from tests.conftest import ServeCloud
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import LIMIT, Exporter
from tests.e2e.waiting import until
from tests.e2e.warm import warm
from tests.e2e.worlds import busiest_registry

ExporterFor = Callable[[Cloud | None], Exporter]
HANGING = Faults({"hang": 1.0}, in_a_row=1_000_000)


def metric(exporter: Exporter, name: str) -> float:
    text = (exporter.folder / "run.prom").read_text(encoding="utf-8")
    found = re.search(rf"^registry_exporter_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_a_complete_run_tells_programs_in_the_log_in_metrics_and_in_a_summary(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    flags = ("--snapshot-id", "night", "--metrics-file", "run.prom", "--summary-json", "-")
    run = exporter.run(*flags, "--format", "parquet")
    assert run.code == 0, run.stderr
    assert run.said == ""
    assert {event["snapshot_id"] for event in run.events} == {"night"}
    assert len({event["run_id"] for event in run.events}) == 1
    assert all(event["timestamp"] and event["level"] for event in run.events)
    assert run.events[-1]["event"] == "export_finished"
    summary = json.loads(run.stdout)
    assert summary["exit_code"] == 0
    assert summary["status"] == "complete"
    assert summary["snapshot_id"] == "night"
    assert summary["totals"]["image_count"] == SMALL.images
    assert metric(exporter, "images") == SMALL.images
    assert metric(exporter, "last_run_exit_code") == 0
    assert metric(exporter, "last_run_calls") == summary["requests"]["calls"]
    assert not (exporter.output / "ndjson").exists()


def test_a_partial_run_ends_with_3_and_says_so_even_when_quiet(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    denied = busiest_registry(cloud.estate)
    cloud.deny(denied)
    exporter = exporter_for(cloud)
    run = exporter.run("--quiet", "--metrics-file", "run.prom", "--summary-json", "out.json")
    assert run.code == 3
    (event,) = [json.loads(line) for line in run.stderr.splitlines()]
    assert event["event"] == "export_partial"
    assert "is partial: 2 of" in event["message"]
    assert f"images of {denied} (denied)" in event["message"]
    assert f"repositories of {denied} (denied)" in event["message"]
    assert metric(exporter, 'last_run_status{status="partial"}') == 1
    summary = json.loads((exporter.folder / "out.json").read_text(encoding="utf-8"))
    assert (summary["exit_code"], summary["status"]) == (3, "partial")


def test_a_fifo_is_handed_the_metrics_and_a_link_stays_one(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    os.mkfifo(exporter.folder / "fifo")
    (exporter.folder / "link.json").symlink_to("target.json")
    process = exporter.start("--metrics-file", "fifo", "--summary-json", "link.json")
    metrics = (exporter.folder / "fifo").read_text(encoding="utf-8")
    run = process.wait()
    assert run.code == 0, run.stderr
    assert "registry_exporter_last_run_exit_code 0.0" in metrics
    assert (exporter.folder / "fifo").is_fifo()
    assert (exporter.folder / "link.json").is_symlink()
    assert json.loads((exporter.folder / "target.json").read_text())["status"] == "complete"


def test_a_person_reads_a_summary_that_names_what_is_missing(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud(replace(SMALL, quirks=Quirks.all()))
    denied = busiest_registry(cloud.estate)
    cloud.deny(denied)
    run = exporter_for(cloud).run("--log-format", "console", "--log-level", "warning")
    assert run.code == 3
    assert "is PARTIAL" in run.stderr
    assert "latest.json does not name it" in run.stderr
    assert re.search(rf"images of {denied} +denied", run.stderr)
    assert "Largest repositories" in run.stderr
    assert re.search(r"\d+ +size_mismatch", run.stderr)
    assert "sharing layers saves" in run.stderr
    assert "exporter verify" in run.stderr
    assert "\x1b" not in run.stderr, "no colours outside a terminal"
    assert run.stdout == ""


def test_the_next_commands_can_be_copied_whatever_the_output_is_called(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    output = exporter.folder / """it's [*] a "$HOME" `x`"""
    told = ("--log-format", "console", "--log-level", "warning", "--output", str(output))
    run = exporter.run(*told)
    assert run.code == 0, run.stderr
    commands = run.stderr.partition("\nNext\n")[2].splitlines()[1::2]
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            check=False,
            env={**exporter.environment, "PYTHONPATH": str(Path.cwd())},
            cwd=exporter.folder,
            timeout=LIMIT,
            encoding="utf-8",
        )
        assert done.returncode == 0, (command, done.stderr)
    assert "untagged size" in done.stdout


def test_nothing_is_printed_by_a_quiet_run_that_is_complete(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    run = exporter_for(serve_cloud()).run("--quiet")
    assert (run.code, run.stdout, run.stderr) == (0, "", "")


def on_a_terminal(exporter: Exporter, *arguments: str, **environment: str) -> str:
    """Run a command to its end on a terminal, and return all that it wrote there."""
    master, terminal = pty.openpty()
    told = {**exporter.environment, "TERM": "xterm", "COLUMNS": "100", **environment}
    stream = Path(os.ttyname(terminal))
    process = warm().start([*arguments], (stream, stream), told, exporter.folder, "")

    def close_behind() -> int:
        # Only then is there nothing more to read: the command opens the terminal by itself.
        try:
            return process.wait(LIMIT)
        finally:
            os.close(terminal)

    with ThreadPoolExecutor(1) as waiting:
        code = waiting.submit(close_behind)
        shown = b"".join(iter(lambda: _read(master), b"")).decode()
    os.close(master)
    assert code.result() == 0, shown
    return shown


def test_a_terminal_shows_progress_and_leaves_the_summary(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud(SMALL, Behaviour(latency=0.2)))
    shown = on_a_terminal(exporter, "export", "--config", str(exporter.write_config()))
    assert "Listing" in shown
    assert "slots" in shown
    assert '"event"' not in shown
    assert "complete" in shown.rpartition("\x1b[?25h")[2], "the summary comes after the progress"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_a_terminal_without_colours_is_sent_none(
    environment: dict[str, str], serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    flags = ("--config", str(exporter.write_config()), "--log-level", "info")
    shown = on_a_terminal(exporter, "export", *flags, **environment)
    assert "export_started" in shown
    assert not re.search(r"\x1b\[\d*3\dm", shown)
    assert "\x1b" not in shown or "NO_COLOR" in environment


@pytest.mark.parametrize("columns", ["60", "120"])
def test_no_size_in_the_summary_is_explained_on_a_second_line(
    columns: str, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    flags = ("--config", str(exporter.write_config()))
    shown = on_a_terminal(exporter, "export", *flags, COLUMNS=columns, TERM="dumb", NO_COLOR="1")
    lines = [line.strip() for line in shown.splitlines()]
    sizes = lines[lines.index("Sizes") + 1 :][:3]
    assert [line.partition(" ")[0] for line in sizes] == ["Every", "Stored", "Only"]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # Linux says so when the last writer has closed the terminal.


def test_credentials_that_are_refused_end_with_4_and_keep_the_last_success(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud(SMALL, Behaviour(static_tokens=frozenset({"another"}))))
    earlier = "registry_exporter_last_success_timestamp_seconds 1.7e+09\n"
    (exporter.folder / "run.prom").write_text(earlier)
    run = exporter.run("--metrics-file", "run.prom", "--summary-json", "-", "--debug")
    assert run.code == 4
    assert run.said.splitlines()[-1].startswith("registry-exporter: ")
    assert "Traceback" in run.stderr, "--debug was asked for"
    assert Cloud.token not in run.stderr
    assert [json.loads(line) for line in run.stderr.splitlines()], "all of it is JSON"
    (failure,) = [event for event in run.events if event["event"] == "export_failed"]
    assert (failure["level"], failure["exit_code"]) == ("error", 4)
    assert failure["run_id"]
    assert failure["snapshot_id"]
    assert run.said.splitlines()[-1] == f"registry-exporter: {failure['message']}"
    assert metric(exporter, "last_success_timestamp_seconds") == 1.7e9
    assert metric(exporter, "last_run_exit_code") == 4
    summary = json.loads(run.stdout)
    assert (summary["status"], summary["exit_code"]) == ("failed", 4)
    assert "credentials" in summary["error"]


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--concurrency", "0"), 2, "limits.concurrency"),
        (("--wait", "soon"), 2, "--wait soon"),
        (("--metrics-file", "nowhere/run.prom"), 2, "--metrics-file"),
        (("--output", "ftp://host/x"), 2, "output.url"),
    ],
)
def test_a_flag_that_cannot_be_used_ends_with_2_before_any_call(
    flags: tuple[str, ...],
    code: int,
    words: str,
    serve_cloud: ServeCloud,
    exporter_for: ExporterFor,
) -> None:
    cloud = serve_cloud()
    run = exporter_for(cloud).run(*flags)
    assert run.code == code, run.stderr
    assert words in run.said
    assert len(run.said.splitlines()) == 1
    (event,) = run.events
    assert (event["event"], event["level"]) == ("export_failed", "error")
    assert run.said == f"registry-exporter: {event['message']}"
    assert len(cloud.calls) == 0


REFUSED = [
    ("--summary-json", "/nonexistent/x.json"),
    ("--concurrency", "abc"),
    ("--bogus",),
]


@pytest.mark.parametrize("flags", REFUSED, ids=" ".join)
def test_whatever_is_refused_updates_the_metrics_and_is_said_once(
    flags: tuple[str, ...], exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(None)
    run = exporter.command("export", "--metrics-file=run.prom", *flags)
    assert run.code == 2
    assert len(run.stderr.splitlines()) == 1
    assert flags[0] in run.said
    assert metric(exporter, "last_run_exit_code") == 2
    assert metric(exporter, 'last_run_status{status="failed"}') == 1


def test_a_key_file_that_is_not_there_is_told_in_a_sentence(exporter_for: ExporterFor) -> None:
    credentials = {"iam_token": None, "service_account_key_file": "/nonexistent/key.json"}
    exporter = exporter_for(None)
    run = exporter.run("--log-format", "console", "--quiet", sections={"credentials": credentials})
    assert run.code == 4
    assert run.said == (
        "registry-exporter: The key file /nonexistent/key.json (credentials."
        "service_account_key_file) cannot be read (No such file or directory); check the path, and "
        "that this user may read the file."
    )
    config = str(exporter.folder / "settings.yaml")
    assert exporter.command("config", "check", "--config", config).said == run.said


WHILE_PRUNING = """
import os, signal, time
import exporter.snapshots.prune as prune
def remove(*_, on_step):
    os.kill(os.getpid(), signal.SIGTERM)
    while True:
        time.sleep(0.01)
        on_step("waiting")
prune.remove = remove
"""


def test_a_signal_while_old_ones_are_removed_says_that_the_new_one_is_published(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    config = str(exporter.write_config({"output": {"keep": {"last": 1}}}))
    flags = ("--config", config, "--snapshot-id", "night", "--metrics-file", "run.prom", "--quiet")
    run = exporter.start_command("export", *flags, before=WHILE_PRUNING).wait()
    assert run.code == 143, run.stderr
    assert run.said == (
        "registry-exporter: Stopped by SIGTERM. Snapshot night is published. Old snapshots may be "
        "left; the next export removes them."
    )
    assert run.latest == "night"
    assert metric(exporter, 'last_run_status{status="complete"}') == 1
    assert metric(exporter, "last_run_exit_code") == 143
    assert metric(exporter, "images") == SMALL.images
    assert exporter.run("--quiet").code == 0


@pytest.mark.parametrize("snapshot_id", ["", "../precious", "{folder}/precious"])
def test_an_id_that_is_a_path_is_refused_and_what_is_there_is_left_alone(
    snapshot_id: str, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    for folder in (exporter.folder, exporter.output):
        (folder / "precious").mkdir(parents=True)
        (folder / "precious" / "file").write_text("mine")
    run = exporter.run("--snapshot-id", snapshot_id.format(folder=exporter.folder))
    assert run.code == 2, run.stderr
    assert "cannot be a snapshot id" in run.said
    assert len(cloud.calls) == 0
    assert (exporter.folder / "precious" / "file").read_text() == "mine"
    assert (exporter.output / "precious" / "file").read_text() == "mine"


def test_plain_http_to_another_machine_is_refused(exporter_for: ExporterFor) -> None:
    run = exporter_for(None).run(sections={"domain": "http://registry.example.com"})
    assert run.code == 2
    assert "line " in run.said
    assert "in the clear" in run.said


def test_an_output_that_cannot_be_written_ends_with_5_before_any_call(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    (exporter.folder / "file").write_text("")
    run = exporter.run("--output", "file/snapshots")
    assert run.code == 5, run.stderr
    assert "file" in run.said
    assert len(cloud.calls) == 0


def test_an_output_that_is_held_ends_with_11_and_names_the_holder(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud()
    exporter = exporter_for(cloud)
    root = staging_root(open_destination(str(exporter.output)), None)
    with Lock(root, "held"):
        run = exporter.run("--wait", "0.3s")
    assert run.code == 11, run.stderr
    assert f"process {os.getpid()}" in run.said
    assert run.said == f"registry-exporter: {run.events[-1]['message']}"
    assert (run.events[-1]["event"], run.events[-1]["exit_code"]) == ("export_failed", 11)
    assert run.events[-1]["run_id"]
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_a_signal_keeps_what_is_staged_and_says_how_to_go_on(
    number: signal.Signals, code: int, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    cloud = serve_cloud(faults=HANGING)
    exporter = exporter_for(cloud)
    process = exporter.start("--metrics-file", "run.prom", "--summary-json", "-")
    until(lambda: cloud.calls.in_flight > 0, "the run asks for something")
    process.signal(number)
    run = process.wait()
    assert run.code == code, run.stderr
    assert f"Stopped by {number.name}" in run.said
    assert "the same command" in run.said
    (stopped,) = [event for event in run.events if event["event"] == "export_stopped"]
    assert run.said == f"registry-exporter: {stopped['message']}"
    assert stopped["level"] == "error"
    assert stopped["run_id"]
    assert stopped["snapshot_id"]
    assert "Traceback" not in run.stderr
    assert run.published == []
    assert list((exporter.output / ".staging").glob("*/journal*"))
    assert json.loads(run.stdout)["status"] == "interrupted"
    assert metric(exporter, 'last_run_status{status="interrupted"}') == 1


def test_a_person_is_told_of_a_failure_once(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud(SMALL, Behaviour(static_tokens=frozenset({"another"}))))
    run = exporter.run("--log-format", "console", "--log-level", "error")
    assert run.code == 4
    assert len(run.stderr.splitlines()) == 1, run.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("export --bogus --log-format json", 2),
        ("exprot --log-format=json", 2),
        ("export --concurrency many --log-format json", 2),
        ("export --log-format json --wait soon", 2),
        ("plan --log-format json --config nowhere.yaml", 2),
        ("demo --log-format json --output /dev/null/x --images 20 --debug", 5),
    ],
)
def test_all_of_stderr_is_json_where_that_is_asked_for(
    line: str, code: int, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(None)
    # Python's own warnings among it, from the first import on.
    exporter.environment["PYTHONWARNINGS"] = "always"
    planted = "import exporter.cli.app as a, warnings; before = a.end_at_signals; "
    planted += "a.end_at_signals = lambda: (before(), warnings.warn('planted'))"
    run = exporter.start_command(*line.split(), before=planted).wait()
    assert run.code == code, run.stderr
    events = [json.loads(each) for each in run.stderr.splitlines()]
    assert "planted" in {event.get("message") for event in events}
    assert all(event["timestamp"] and event["level"] and event["event"] for event in events)
    failures = [event for event in events if event.get("exit_code") == code]
    assert len(failures) == 1, "a failure is told once"
    assert failures[0]["message"]
    assert any("Traceback" in event.get("exception", "") for event in events) == ("debug" in line)


def test_cron_mails_a_failure_once_and_as_a_sentence(
    serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud(SMALL, Behaviour(static_tokens=frozenset({"another"}))))
    config = str(exporter.write_config())
    run = exporter.command("export", "--config", config, "--quiet")
    assert run.code == 4
    (mailed,) = run.stderr.splitlines()
    assert mailed.startswith("registry-exporter: ")


def test_refused_settings_are_told_in_the_metrics_and_the_summary(
    exporter_for: ExporterFor,
) -> None:
    exporter = exporter_for(None)
    earlier = 'registry_exporter_registry_images{name="n",registry="crp1"} 7.0\n'
    (exporter.folder / "run.prom").write_text(earlier)
    files = ("--metrics-file", "run.prom", "--metrics-job", "night", "--summary-json", "-")
    run = exporter.run(*files, "--concurrency", "0")
    assert run.code == 2, run.stderr
    text = (exporter.folder / "run.prom").read_text(encoding="utf-8")
    job = 'export_job="night"'
    assert f"registry_exporter_last_run_exit_code{{{job}}} 2.0\n" in text
    assert f'registry_exporter_last_run_status{{{job},status="failed"}} 1.0\n' in text
    assert f'registry_exporter_registry_images{{{job},name="n",registry="crp1"}} 7.0\n' in text
    assert json.loads(run.stdout)["exit_code"] == 2


def test_a_bug_is_called_one(
    tmp_path: Path, serve_cloud: ServeCloud, exporter_for: ExporterFor
) -> None:
    exporter = exporter_for(serve_cloud())
    config = str(exporter.write_config())
    broken = "import exporter.resuming; exporter.resuming.staging_root = None"
    run = exporter.start_command("export", "--config", config, before=broken).wait()
    (event,) = [event for event in run.events if event["event"] == "export_failed"]
    assert run.said == f"registry-exporter: {event['message']}"
    assert run.code == 1
    assert "This is a bug" in run.said
    assert "--debug" in run.said
    assert "Traceback" not in run.stderr
    assert len(run.said.splitlines()) == 1
