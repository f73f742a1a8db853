"""What a stopped run leaves: it is resumed, or discarded with a word, and blocks no night."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter import Settings, export
from exporter.emulator import Behaviour, Faults, Shape
from exporter.errors import LockedError
from exporter.snapshots.manifest import Manifest
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.waiting import until
from tests.e2e.worlds import busiest_registry

ExporterFor = Callable[[Cloud], Exporter]

SHAPE = Shape(clouds=1, folders=1, registries=3, repositories=9, images=120, layers=2)
STEADY = Behaviour(latency=0.005, reshuffle=False)
HANGING = Faults({"hang": 1.0}, in_a_row=1_000_000)
# A disk without room for latest.json, as long as a file (of the working folder) is there.
FULL = (
    "import os; real = os.open; os.open = lambda path, *rest, **more: "
    "(_ for _ in ()).throw(OSError(28, 'No space left on device')) "
    "if '.latest.json.' in str(path) and os.path.exists({there!r}) else real(path, *rest, **more)"
)


@pytest.fixture
def cloud(serve_cloud: ServeCloud) -> Cloud:
    return serve_cloud(SHAPE, STEADY)


@pytest.fixture
def exporter(cloud: Cloud, exporter_for: ExporterFor) -> Exporter:
    return exporter_for(cloud)


def killed(exporter: Exporter, cloud: Cloud, *flags: str, **how: Any) -> None:
    """Run an export that is killed after some pages."""

    def stop_answering() -> None:
        cloud.faults = HANGING

    cloud.calls.clear()
    cloud.calls.after(2, stop_answering)
    process = exporter.start(*flags, **how)
    until(lambda: cloud.faults is HANGING and cloud.calls.in_flight > 0, "it waits for an answer")
    process.signal(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL
    cloud.mend()


def listed(exporter: Exporter) -> str:
    return exporter.command("list", "-o", str(exporter.output)).stderr


def staged(exporter: Exporter) -> list[str]:
    return [path.name for path in (exporter.output / ".staging").iterdir() if path.is_dir()]


def messages(run: Run, event: str) -> list[str]:
    return [one["message"] for one in run.events if one["event"] == event]


def latest(exporter: Exporter) -> str:
    content = json.loads((exporter.output / "manifests/latest.json").read_bytes())
    return str(content["snapshot_id"])


@pytest.mark.parametrize("ending", ["killed", "refused"])
def test_a_replacement_that_ended_early_blocks_no_run_without_an_id(
    ending: str, cloud: Cloud, exporter: Exporter
) -> None:
    assert exporter.run("--snapshot-id", "base").code == 0
    if ending == "killed":
        killed(exporter, cloud, "--snapshot-id", "base", "--replace")
    else:
        cloud.deny(busiest_registry(cloud.estate))
        assert exporter.run("--snapshot-id", "base", "--replace").code == 1
        cloud.deny()
    assert "export --snapshot-id base --replace` with the same" in listed(exporter)
    night = exporter.run()
    assert night.code == 0, night.stderr
    assert len(night.published) == 2
    assert latest(exporter) != "base"
    assert "the next export discards it" in listed(exporter)
    assert exporter.run().code == 0
    assert staged(exporter) == []


def test_outputs_of_one_spelling_in_two_folders_share_no_staging(
    cloud: Cloud, tmp_path: Path
) -> None:
    sections = {"output": {"url": "./snapshots", "staging": str(tmp_path / "stage")}}
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    a, b = (Exporter(folder, cloud) for folder in folders)
    killed(a, cloud, "--snapshot-id", "of-a", sections=sections)
    second = b.run(sections=sections)
    assert second.code == 0, second.stderr
    assert "of-a" not in second.published
    again = a.run(sections=sections)
    assert (again.code, again.published) == (0, ["of-a"]), again.stderr


def test_a_stopped_run_is_resumed_under_any_spelling_of_its_output(
    cloud: Cloud, exporter: Exporter
) -> None:
    killed(exporter, cloud, "--snapshot-id", "night", sections={"output": {"url": "./snapshots"}})
    run = exporter.run("--output", exporter.output.as_uri())
    assert (run.code, run.published) == (0, ["night"]), run.stderr


def test_what_began_before_the_newest_complete_snapshot_is_discarded(
    cloud: Cloud, exporter: Exporter
) -> None:
    killed(exporter, cloud, "--snapshot-id", "old")
    assert exporter.run("--snapshot-id", "newer").code == 0
    assert "old is unfinished, and it began before newer was published" in listed(exporter)
    night = exporter.run()
    assert night.code == 0, night.stderr
    (message,) = messages(night, "staging_discarded")
    assert "old is discarded: it began before newer was published" in message
    assert "old" not in night.published
    assert latest(exporter) not in ("old", "newer")


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500, None])
def test_staging_whose_journal_cannot_be_read_is_discarded(
    content: bytes | None, cloud: Cloud, exporter: Exporter
) -> None:
    killed(exporter, cloud, "--snapshot-id", "night")
    journal = exporter.output / ".staging/night/journal.sqlite"
    for more in journal.parent.glob("journal.sqlite-*"):
        more.unlink()
    if content is None:
        journal.unlink()
    else:
        journal.write_bytes(content)
    assert "Snapshot night is unfinished, and " in listed(exporter)
    assert "the next export discards it" in listed(exporter)
    run = exporter.run()
    assert run.code == 0, run.stderr
    (message,) = messages(run, "staging_unreadable")
    assert "is discarded" in message
    assert "night" not in run.published
    assert staged(exporter) == []


async def test_of_two_exports_at_once_in_one_process_one_is_locked_out(
    cloud: Cloud, exporter: Exporter
) -> None:
    settings = Settings(**exporter.settings({"credentials": {"iam_token": Cloud.token}}))
    results = await asyncio.gather(*(export(settings) for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in results} == {LockedError, Manifest}
    assert [isinstance(one, Manifest) for one in results].count(True) == 1


def test_a_disk_that_is_full_at_the_last_step_says_what_is_there_and_what_is_not(
    exporter: Exporter,
) -> None:
    assert exporter.run("--snapshot-id", "old").code == 0
    full = FULL.format(there="snapshots/manifests/old.json")
    config = str(exporter.write_config())
    arguments = ("export", "--config", config, "--log-format", "json", "--snapshot-id", "newer")
    run = exporter.start_command(*arguments, before=full).wait()
    assert run.code == 5
    assert "Snapshot newer is published and complete, only manifests/latest.json does" in run.said
    assert "the disk is full" in run.said
    assert "registry-exporter prune`" in run.said
    assert (run.published, latest(exporter)) == (["newer", "old"], "old")
    keep = ("prune", "-o", str(exporter.output), "--keep-last", "1")
    pruned = exporter.start_command(*keep, before=full).wait()
    assert pruned.code == 0, pruned.stderr
    assert (pruned.published, latest(exporter)) == (["newer"], "newer")
    assert exporter.run().code == 0


@pytest.mark.parametrize("lost", [False, True], ids=["pruned", "removed by hand"])
def test_a_prune_leaves_what_is_being_published_from_elsewhere_and_the_next_run_goes_through(
    lost: bool, exporter: Exporter
) -> None:
    exporter.write_config()
    elsewhere = {"output": {"staging": str(exporter.folder / "stage")}}
    assert exporter.run("--snapshot-id", "base", sections=elsewhere).code == 0
    tags = exporter.output / "parquet/tags"
    tags.rename(exporter.folder / "tags")
    tags.touch()
    failed = exporter.run("--snapshot-id", "half", sections=elsewhere)
    assert failed.code == 5, failed.stderr
    tags.unlink()
    (exporter.folder / "tags").rename(tags)
    moved = list(exporter.output.rglob("snapshot_id=half/part-*"))
    assert moved
    pruned = exporter.command("prune", "-o", str(exporter.output), "--keep-last", "5")
    assert pruned.code == 0, pruned.stderr
    assert all(path.exists() for path in moved)
    if lost:
        moved[0].unlink()
    night = exporter.run(sections=elsewhere)
    assert night.code == 0, night.stderr
    assert len(night.published) == 2
    resumed = {"publishing_resumed", "staging_discarded"} & {one["event"] for one in night.events}
    assert resumed == (
        {"publishing_resumed", "staging_discarded"} if lost else {"publishing_resumed"}
    )
    assert ("half" in night.published) is not lost


def test_a_run_is_told_that_a_prune_holds_the_output(exporter: Exporter) -> None:
    assert exporter.run("--snapshot-id", "one").code == 0
    waiting = "import exporter.published as p, time; p.staged_ids = lambda root: time.sleep(600)"
    keep = ("prune", "-o", str(exporter.output), "--keep-last", "1")
    prune = exporter.start_command(*keep, before=waiting)
    lock = exporter.output / ".staging/.lock"
    until(lambda: b"prune" in lock.read_bytes(), "the prune holds the output")
    run = exporter.run()
    prune.signal(signal.SIGKILL)
    prune.wait()
    assert run.code == 11
    assert f"A prune holds the output ({lock}): process {prune.pid} on " in run.said
