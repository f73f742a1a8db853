"""The cache by digest: what was put comes back or is missing, whatever happens to its file."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from structlog.testing import capture_logs

from exporter.errors import SettingsError
from exporter.sources.oci.cache import Cache, open_cache
from exporter.sources.oci.store import NAME

REPOSITORY = "registry.example/app"


def body(number: int, size: int = 100) -> bytes:
    return f'{{"number": {number}}}'.encode().ljust(size)


def digest(number: int, size: int = 100) -> str:
    return f"sha256:{hashlib.sha256(body(number, size)).hexdigest()}"


def put(cache: Cache, numbers: range, size: int = 100) -> None:
    for number in numbers:
        cache.put(digest(number, size), body(number, size))


def found(cache: Cache, numbers: range, size: int = 100) -> list[int]:
    there = []
    for number in numbers:
        content = cache.get(digest(number, size))
        assert content in (None, body(number, size))
        there += [number] * (content is not None)
    return there


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / NAME


def test_what_was_put_is_there_at_once_and_in_the_next_run(path: Path) -> None:
    cache = Cache(path)
    put(cache, range(300))
    cache.put_tag(REPOSITORY, "v1", digest(1))
    cache.put_tag(REPOSITORY, "v1", digest(2))
    for _ in range(2):
        assert found(cache, range(301)) == list(range(300))
        assert cache.has(digest(299))
        assert not cache.has(digest(300))
        assert cache.tag(REPOSITORY, "v1") == digest(2)
        assert cache.tag(REPOSITORY, "v2") is cache.tag("registry.example/other", "v1") is None
        cache.close()
        cache = Cache(path)
    cache.close()


def test_sha512_is_a_digest_too_and_what_is_none_is_missing(path: Path) -> None:
    long = f"sha512:{hashlib.sha512(body(1)).hexdigest()}"
    cache = Cache(path)
    cache.put(long, body(1))
    cache.put("unheard:of", body(1))
    cache.close()
    cache = Cache(path)
    assert cache.get(long) == body(1)
    assert cache.get("unheard:of") is None
    cache.close()


def test_only_their_owner_can_read_the_files(path: Path) -> None:
    before = os.umask(0)
    try:
        cache = Cache(path)
        put(cache, range(1000))
        cache.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert path in files
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_a_corrupt_entry_is_a_miss_and_can_be_put_again(path: Path) -> None:
    cache = Cache(path)
    put(cache, range(10))
    cache.put_tag(REPOSITORY, "v1", digest(1))
    cache.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE bodies SET body = ? WHERE id = 3", (b"another",))
        database.execute("UPDATE bodies SET body = 'a text' WHERE id = 4")
        database.execute("UPDATE tags SET digest = ?", (digest(5),))
    database.close()
    cache = Cache(path)
    assert len(found(cache, range(10))) == 8
    assert cache.tag(REPOSITORY, "v1") is None
    put(cache, range(10))
    cache.close()
    cache = Cache(path)
    assert found(cache, range(10)) == list(range(10))
    cache.close()


def test_values_that_were_never_written_are_no_error(path: Path) -> None:
    for column in ("used = 'never'", "used = x'ff'", "digest = 5"):
        cache = Cache(path)
        put(cache, range(10))
        cache.put_tag(REPOSITORY, "v1", digest(1))
        cache.close()
        with sqlite3.connect(path) as database:
            database.execute(f"UPDATE entries SET {column} WHERE id = 1")
            database.execute(f"UPDATE tags SET {column}")
        database.close()
        cache = Cache(path)
        found(cache, range(10))
        assert cache.tag(REPOSITORY, "v1") in (None, digest(1))
        cache.close()


def test_a_closed_cache_is_empty_and_its_file_stays(path: Path) -> None:
    cache = Cache(path)
    put(cache, range(10))
    cache.close()
    cache.close()
    assert not cache.has(digest(1))
    assert cache.get(digest(1)) is None
    cache = Cache(path)
    assert found(cache, range(10)) == list(range(10))
    cache.close()


@pytest.mark.parametrize("break_", ["no database", "empty", "cut", "overwritten"])
def test_a_broken_file_is_begun_anew(path: Path, break_: str) -> None:
    cache = Cache(path)
    put(cache, range(2000))
    cache.close()
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "no database": b"nothing of the kind" * 1000,
            "empty": b"",
            "cut": content[:middle],
            "overwritten": content[:4096] + b"\xff" * (len(content) - 4096),
        }[break_]
    )
    cache = Cache(path)
    found(cache, range(2000))
    put(cache, range(2000, 4000))
    assert found(cache, range(2000, 4000)) == list(range(2000, 4000))
    cache.close()
    cache = Cache(path)
    assert len(found(cache, range(2000, 4000))) >= 1000
    cache.close()


def test_the_folder_may_be_deleted_while_two_runs_use_it(path: Path) -> None:
    one, other = Cache(path), Cache(path)
    put(one, range(1000))
    put(other, range(1000, 2000))
    shutil.rmtree(path.parent)
    put(one, range(2000, 3000))
    put(other, range(3000, 4000))
    assert found(one, range(2000, 3000)) == list(range(2000, 3000))
    assert found(other, range(3000, 4000)) == list(range(3000, 4000))
    one.close()
    other.close()
    cache = Cache(path)
    assert len(found(cache, range(4000))) >= 1500
    cache.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_what_many_runs_did_not_use_is_dropped(path: Path) -> None:
    cache = Cache(path, keep_runs=3)
    put(cache, range(10))
    for name in ("used", "unused"):
        cache.put_tag(REPOSITORY, name, digest(1))
    cache.close()
    there = []
    for _ in range(4):
        cache = Cache(path, keep_runs=3)
        assert cache.has(digest(1))
        assert cache.get(digest(2)) == body(2)
        assert cache.tag(REPOSITORY, "used") == digest(1)
        cache.close()
        with sqlite3.connect(path) as database:
            there.append(database.execute("SELECT count(*) FROM bodies").fetchone()[0])
        database.close()
    assert there == [10, 10, 2, 2]
    cache = Cache(path)
    assert found(cache, range(10)) == [1, 2]
    assert cache.tag(REPOSITORY, "unused") is None
    cache.close()


def test_a_full_cache_drops_what_was_not_used_for_the_longest(path: Path) -> None:
    most = 2 * 1024**2
    for run in range(3):
        cache = Cache(path, most_bytes=most)
        assert len(found(cache, range(3 * run), 1000)) == 3 * run
        put(cache, range(3 * run, 3 * run + 3), 1000)
        put(cache, range(1000 * run + 1000, 1000 * run + 2000), 1000)
        cache.close()
    assert path.stat().st_size <= 1.5 * most
    cache = Cache(path)
    assert found(cache, range(3000, 4000), 1000)
    assert not found(cache, range(1000, 2000), 1000)
    cache.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte, where this machine lets a test do so."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_full_disk_is_said_once_and_costs_nothing_that_was_kept(tiny_disk: Path) -> None:
    cache = Cache(tiny_disk / NAME)
    put(cache, range(50), 1000)
    cache.close()
    cache = Cache(tiny_disk / NAME, keep_runs=3)
    with capture_logs() as logs:
        put(cache, range(1000, 3000), 1000)
        cache.close()
    assert [log["event"] for log in logs] == ["cache_lost"]
    cache = Cache(tiny_disk / NAME)
    assert found(cache, range(50), 1000) == list(range(50))
    cache.close()


def test_a_folder_that_cannot_be_used_leaves_a_cache_for_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = open_cache(str(tmp_path / "file" / "cache"))
    put(cache, range(1000))
    assert found(cache, range(1000)) == list(range(1000))
    cache.close()


def test_off_keeps_nothing_and_nothing_named_is_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = open_cache("off")
    put(cache, range(1000))
    assert found(cache, range(1000)) == list(range(1000))
    cache.close()
    assert list(tmp_path.iterdir()) == []
    open_cache(None).close()
    assert (tmp_path / "registry-exporter" / "oci" / NAME).is_file()


def test_a_home_folder_that_is_not_there_is_a_matter_of_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"oci\.cache ~no-such-user/cache begins with a home"):
        open_cache("~no-such-user/cache")


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from exporter.sources.oci.cache import Cache
from tests.sources.test_oci_cache import found, put
path, first = Path(sys.argv[2]), int(sys.argv[3])
while True:
    cache = Cache(path)
    for start in range(first, first + 20_000, 500):
        put(cache, range(start, start + 500))
        found(cache, range(10_000, 10_500))
        print("more", flush=True)
    cache.close()
"""


@pytest.fixture
def writers(path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that fill one cache, each with content of its own, until they are killed."""
    root = str(Path(__file__).parents[2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, root, str(path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (0, 10_000)
    ]
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_two_runs_at_once_and_a_kill_leave_what_was_written(
    path: Path, writers: list[subprocess.Popen[str]]
) -> None:
    for process in writers:
        assert process.stdout is not None
        for _ in range(6):
            assert process.stdout.readline() == "more\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].wait()
    other = writers[1].stdout
    assert other is not None
    for _ in range(3):
        assert other.readline() == "more\n"
    writers[1].send_signal(signal.SIGKILL)
    writers[1].wait()
    cache = Cache(path)
    # Up to 256 entries wait to be written.
    assert len(found(cache, range(3000))) >= 2700
    assert len(found(cache, range(10_000, 14_500))) >= 4200
    cache.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


class AnyUse(RuleBasedStateMachine):
    """Two runs share a cache, which is closed, opened, broken and deleted in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "cache" / NAME
        self.caches: list[Cache] = []
        self.own: list[set[int]] = [set(), set()]

    @initialize()
    def begin(self) -> None:
        self.caches = [Cache(self.path), Cache(self.path)]

    @rule(run=st.integers(0, 1), first=st.integers(0, 40), count=st.integers(1, 300))
    def put(self, run: int, first: int, count: int) -> None:
        put(self.caches[run], range(first, first + count))
        self.own[run] |= set(range(first, first + count))

    @rule(run=st.integers(0, 1))
    def reopen(self, run: int) -> None:
        self.caches[run].close()
        self.caches[run] = Cache(self.path)

    @rule()
    def delete(self) -> None:
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    @rule(at=st.floats(0, 1), content=st.binary(min_size=1, max_size=5000))
    def overwrite(self, at: float, content: bytes) -> None:
        if self.path.exists():
            with self.path.open("r+b") as file:
                file.seek(int(at * self.path.stat().st_size))
                file.write(content)

    @invariant()
    def everything_is_right_or_missing(self) -> None:
        for cache, own in zip(self.caches, self.own, strict=False):
            there = found(cache, range(0, 341, 17))
            assert all(number in self.own[0] | self.own[1] for number in there), own

    def teardown(self) -> None:
        for cache in self.caches:
            cache.close()
        shutil.rmtree(self.folder)


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
