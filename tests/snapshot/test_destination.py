"""A folder as a destination: whole files, safe modes, and sentences for what fails."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import OutputError
from exporter.storage.destination import Entry
from exporter.storage.opening import open_destination


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "staged"
    path.write_bytes(b"rows")
    return path


def test_a_path_and_a_file_url_name_the_same_folder(tmp_path: Path) -> None:
    open_destination(f"file://{tmp_path}/a%20b").write_atomically("x/y", b"1")
    destination = open_destination(str(tmp_path / "a b"))
    assert destination.read("x/y") == b"1"
    assert destination.size("x/y") == 1
    assert destination.list("x") == [Entry("x/y", 1)]
    with destination.open_input("x/y") as file:
        assert file.read() == b"1"


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"))
    assert destination.read("x/y") is None
    assert destination.size("x/y") is None
    assert destination.list("x") == []
    destination.delete("x/y")
    assert not (tmp_path / "out").exists()
    with (
        pytest.raises(OutputError, match=r"Cannot read .*x/y: No such file"),
        destination.open_input("x/y"),
    ):
        pass
    with pytest.raises(OutputError, match="no such file"), destination.fetched("x/y", tmp_path):
        pass


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o000, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_others_never_get_to_write(tmp_path: Path, umask: int, file: int, folder: int) -> None:
    old = os.umask(umask)
    try:
        staged = tmp_path / "staged"
        staged.write_bytes(b"rows")
        destination = open_destination(str(tmp_path / "out"))
        destination.check_writable()
        destination.write_atomically("manifests/a.json", b"{}")
        destination.move_in(staged, "parquet/a/b/part")
    finally:
        os.umask(old)
    out = tmp_path / "out"
    assert _mode(out / "manifests/a.json") == _mode(out / "parquet/a/b/part") == file
    assert {_mode(path) for path in (out, out / "parquet", out / "parquet/a/b")} == {folder}


def test_moving_in_replaces_what_a_killed_run_left(tmp_path: Path, source: Path) -> None:
    destination = open_destination(str(tmp_path / "out"))
    destination.write_atomically("a/b", b"left over")
    destination.move_in(source, "a/b")
    assert destination.read("a/b") == b"rows"
    assert not source.exists()


def test_moving_in_from_another_file_system_copies(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def crosses(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", crosses)
    open_destination(str(tmp_path / "out")).move_in(source, "a/b")
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["b"]
    assert (tmp_path / "out/a/b").read_bytes() == b"rows"
    assert not source.exists()


def test_deleting_tidies_empty_folders_and_keeps_the_root(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"))
    destination.write_atomically("a/b/c", b"")
    destination.write_atomically("a/d", b"")
    destination.delete("a/b/c")
    assert not (tmp_path / "out/a/b").exists()
    destination.delete("a/d")
    assert list((tmp_path / "out").iterdir()) == []


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    open_destination(str(tmp_path / "new/out")).check_writable()
    assert list((tmp_path / "new/out").iterdir()) == []


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    for url in (tmp_path / "out", tmp_path / "out/below"):
        with pytest.raises(OutputError) as refusal:
            open_destination(str(url)).check_writable()
        assert str(refusal.value) == (
            f"Cannot write to the output folder {url}: a file stands where a folder is needed; "
            "move it or name another output.url."
        )


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EACCES, "permission is denied; give this user access"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENETDOWN, "Network is down; check that the place exists"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    destination = open_destination(str(tmp_path))
    destination.write_atomically("a/b", b"old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=f"^Cannot write {tmp_path}/a/b: {advice}.*\\.$"):
        destination.write_atomically("a/b", b"new")
    assert destination.read("a/b") == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte, where this machine lets a test do so."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tiny_disk: Path, tmp_path: Path) -> None:
    destination = open_destination(str(tiny_disk))
    destination.write_atomically("manifests/latest.json", b"old")
    staged = tmp_path / "staged"
    staged.write_bytes(b"x" * 2_000_000)
    with pytest.raises(OutputError, match="the disk is full; free some space and run again"):
        destination.write_atomically("manifests/latest.json", staged.read_bytes())
    # The staged file comes from another file system, so it is copied.
    with pytest.raises(OutputError, match="the disk is full; free some space and run again"):
        destination.move_in(staged, "parquet/part")
    assert staged.exists()
    assert destination.list("") == [Entry("manifests/latest.json", 3)]
    assert destination.read("manifests/latest.json") == b"old"


LIMITED = """
import resource, sys
from exporter.errors import OutputError
from exporter.storage.opening import open_destination
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    open_destination(sys.argv[1]).write_atomically("a/b", b"x" * 2000)
except OutputError as error:
    print(error)
"""


def test_a_file_size_limit_is_said_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert "larger than this process or file system allows" in done.stdout
    assert list((tmp_path / "a").iterdir()) == []


def test_an_object_store_is_not_touched_by_naming_it() -> None:
    assert open_destination("s3://bucket/some/prefix/").url == "s3://bucket/some/prefix"
    assert open_destination("gs://bucket").url == "gs://bucket"
