"""The lock: one holder, named to the next; a dead one does not block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import LockedError, OutputError
from exporter.storage.lock import Lock, locked

HOLDER = """
import sys
from pathlib import Path
from exporter.storage.lock import Lock
with Lock(Path(sys.argv[1]), "first"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of `tmp_path` until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_is_told_who_holds_the_output(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockedError) as refusal, Lock(tmp_path, "second"):
        pytest.fail("two runs hold one output")
    sentence = str(refusal.value)
    assert f"process {holder.pid} on " in sentence
    assert "for snapshot first; let it finish" in sentence
    assert "started at 20" in sentence
    assert refusal.value.exit_code == 11


async def test_waiting_ends_when_the_holder_lets_go(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    async with locked(tmp_path, lambda: "second", 300):
        assert b'"snapshot_id":"second"' in (tmp_path / ".lock").read_bytes()
    with Lock(tmp_path, "third"):
        assert b"third" in (tmp_path / ".lock").read_bytes()


async def test_waiting_has_an_end(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LockedError, match=str(holder.pid)):
        async with locked(tmp_path, lambda: "second", 0.3):
            pytest.fail("two runs hold one output")


def test_a_dead_holder_does_not_block(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with Lock(tmp_path, "second"):
        assert b"second" in (tmp_path / ".lock").read_bytes()


def test_the_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for snapshot_id in ("first", "second"):
        with Lock(tmp_path, snapshot_id):
            assert snapshot_id.encode() in (tmp_path / ".lock").read_bytes()


def test_a_holder_that_has_not_named_itself_is_still_respected(tmp_path: Path) -> None:
    with Lock(tmp_path, "first"):
        (tmp_path / ".lock").write_bytes(b"")
        with pytest.raises(LockedError, match="has not said who it is"), Lock(tmp_path, "second"):
            pytest.fail("two runs hold one output")


def test_a_place_that_cannot_hold_a_lock_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "staging").write_bytes(b"")
    with (
        pytest.raises(OutputError, match=r"Cannot lock .* a file stands"),
        Lock(tmp_path / "staging", "first"),
    ):
        pytest.fail("a file was taken for a folder")
