"""Shares that know less than a disk: the export works, or says in a sentence what to do instead."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.emulator import Shape
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter, Run
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot

SHAPE = Shape(clouds=1, folders=2, registries=3, repositories=8, images=60, layers=3)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that makes a folder a share."""
    library = tmp_path_factory.mktemp("shim") / "share.so"
    source = Path(__file__).with_name("share.c")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl"],
        check=True,
    )
    return library


def on_share(exporter: Exporter, shim: Path, answers: dict[str, int]) -> Exporter:
    """Let a command take the folder of its output for a share that answers so."""
    share = exporter.folder / "share"
    share.mkdir()
    exporter.output = share / "snapshots"
    exporter.environment |= {"LD_PRELOAD": str(shim), "SHARE": str(share)}
    exporter.environment |= {f"SHARE_{name}": str(number) for name, number in answers.items()}
    return exporter


def check_whole(run: Run, cloud: Cloud, snapshot_id: str) -> None:
    assert run.code == 0, run.stderr
    assert run.latest == snapshot_id
    check_against(read_snapshot(run.output, snapshot_id), world_of(cloud.estate))


@pytest.mark.parametrize(
    "answers",
    [
        {"FSYNC": errno.EINVAL, "CHMOD": errno.EPERM},
        {"FSYNC": errno.EBADF, "CHMOD": errno.EOPNOTSUPP, "RENAME": errno.EEXIST},
        {"FSYNC": errno.ENOTSUP, "RENAME": errno.EPERM},
        {"FSYNC": errno.ENOSYS},
    ],
    ids=str,
)
def test_a_share_that_knows_less_is_written_twice_over(
    answers: dict[str, int],
    shim: Path,
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = on_share(exporter_for(cloud), shim, answers)
    # The second one replaces files, which takes a rename.
    for snapshot_id in ("one", "two") if "RENAME" in answers else ("one",):
        check_whole(exporter.run("--snapshot-id", snapshot_id), cloud, snapshot_id)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_a_disk_reports_when_a_folder_is_synced_is_an_error(
    number: int, shim: Path, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    run = on_share(exporter_for(cloud), shim, {"FSYNC": number}).run()
    assert run.code == 5, run.stderr
    assert "Traceback" not in run.stderr
    assert len(cloud.calls) == 0


def test_a_share_without_locks_wants_its_staging_on_a_disk_and_works_then(
    shim: Path, serve_cloud: ServeCloud, exporter_for: Callable[[Cloud], Exporter]
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = on_share(exporter_for(cloud), shim, {})
    for number in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        exporter.environment["SHARE_FLOCK"] = str(number)
        refused = exporter.run()
        assert refused.code == 5, refused.stderr
        said = "its file system knows no locks; name a folder on this machine's own disk"
        assert said in refused.said
        assert "output.staging" in refused.said
    assert len(cloud.calls) == 0
    local = {"output": {"staging": str(exporter.folder / "staging")}}
    run = exporter.run("--snapshot-id", "one", sections=local)
    check_whole(run, cloud, "one")
    assert "lock_is_this_machines" in [event["event"] for event in run.events]
