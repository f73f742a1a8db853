"""`history`: the runs of tags and the sizes of scopes, against a calculation in plain Python."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from exporter import Snapshot, open_snapshot
from exporter.analyze.history import size_history, tag_history
from exporter.errors import ExporterError
from exporter.snapshots.selection import read_snapshot
from exporter.storage.access import Access, Key
from exporter.storage.opening import open_destination
from exporter.tables.answers import SIZE_HISTORY, TAG_HISTORY
from tests.answers.estates import NIGHT, publish_estate
from tests.answers.nights import repeat
from tests.derive.estates import START, Blob, Image, World, digest
from tests.e2e.commands import Exporter, Run
from tests.s3 import S3

REPOSITORIES = ("r1/app", "r1/web", "r2/app")
SOME = {"repositories": {"include": ["a*"], "exclude": []}}
STATUSES = ("complete", "complete", "complete", "partial", "denied", "vanished", "failed")


@dataclass(frozen=True)
class Night:
    """What is there one night, and how the listing of each registry's images went.

    `tagged` are (repository, tags, when it was created); a registry without a status is not there.
    """

    tagged: tuple[tuple[str, tuple[str, ...], int], ...]
    statuses: dict[str, str | None]

    def images(self) -> list[Image]:
        return [
            # The same repository, tags and time are the same image in every night.
            Image(
                f"{repository}-{created}-{'-'.join(tags)}",
                repository,
                (Blob(digest(created), 10 + created),),
                tags=tags,
                digest=digest(created),
                created_at=START + timedelta(hours=created),
            )
            for repository, tags, created in dict.fromkeys(self.tagged)
            if self.statuses[repository.partition("/")[0]] is not None
        ]

    def world(self) -> World:
        there = [name for name, status in self.statuses.items() if status is not None]
        return World(
            images=tuple(self.images()),
            clouds=("c1",),
            folders=(("f1", "c1"),),
            registries=tuple((name, "f1", "c1") for name in there),
            repositories=tuple(one for one in REPOSITORIES if one.partition("/")[0] in there),
            coverage=tuple(("images", name, str(self.statuses[name])) for name in there),
        )

    def pointers(self, repository: str) -> dict[str, Image] | None:
        """Return the image of each tag; None if the repository was not listed whole."""
        if self.statuses[repository.partition("/")[0]] != "complete":
            return None
        pointers: dict[str, Image] = {}
        for image in sorted(self.images(), key=lambda one: (one.created_at, one.image_id)):
            if image.repository_name == repository:
                pointers |= dict.fromkeys(image.tags, image)
        return pointers


NIGHTS = st.lists(
    st.builds(
        Night,
        st.lists(
            st.tuples(
                st.sampled_from(REPOSITORIES),
                st.lists(st.sampled_from(("a", "b")), max_size=2, unique=True).map(tuple),
                st.integers(1, 3),
            ),
            max_size=5,
        ).map(tuple),
        st.fixed_dictionaries(
            {"r1": st.sampled_from(STATUSES), "r2": st.sampled_from((*STATUSES, None))}
        ),
    ),
    min_size=2,
    max_size=6,
)


def is_gone(nights: list[Night], number: int, repository: str) -> bool:
    """Return whether a night no longer has a registry that an earlier one had."""
    statuses = [night.statuses[repository.partition("/")[0]] for night in nights[: number + 1]]
    return statuses[-1] is None and any(status is not None for status in statuses)


def runs(nights: list[Night], repository: str) -> list[dict[str, Any]]:
    """Return the rows of `tag_history` that these nights make, one tag after the other."""
    listed = [
        (f"night-{n}", START + n * NIGHT, {} if is_gone(nights, n, repository) else found)
        for n, found in enumerate(one.pointers(repository) for one in nights)
    ]
    whole = [(name, at, found) for name, at, found in listed if found is not None]
    rows: list[dict[str, Any]] = []
    for tag in sorted({tag for _, _, found in whole for tag in found}):
        before: Image | None = None
        for name, at, found in whole:
            now = found.get(tag)
            if now is not None and before is not None and now.image_id == before.image_id:
                rows[-1] |= {"last_snapshot_id": name, "last_seen_at": at}
            elif now is not None:
                rows.append(
                    {
                        "repository_name": repository,
                        "tag": tag,
                        "image_id": now.image_id,
                        "digest": now.digest,
                        "first_snapshot_id": name,
                        "first_seen_at": at,
                        "last_snapshot_id": name,
                        "last_seen_at": at,
                    }
                )
            before = now
    for row in rows:
        row["is_current"] = row["last_snapshot_id"] == whole[-1][0]
    return rows


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(NIGHTS)
def test_runs_are_those_of_a_plain_calculation(nights: list[Night]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        destination = open_destination(folder)
        manifests = [
            publish_estate(destination, f"night-{number}", night.world(), night=number)
            for number, night in enumerate(nights)
        ]
        for repository in REPOSITORIES:
            wanted = runs(nights, repository)
            known = any(repository in night.world().repositories for night in nights)
            if not known:
                with pytest.raises(ExporterError, match="No snapshot has the repository"):
                    tag_history(destination, repository)
                continue
            found = tag_history(destination, repository)
            assert found.rows.schema.equals(TAG_HISTORY.schema)
            assert found.rows.to_pylist() == wanted
            missed = [
                n
                for n, night in enumerate(nights)
                if night.pointers(repository) is None and not is_gone(nights, n, repository)
            ]
            assert found.not_listed == tuple(f"night-{number}" for number in missed)
            assert found.is_partial == any(manifests[n].status == "partial" for n in missed)
            only = tag_history(destination, f"{repository}:a").rows.to_pylist()
            assert only == [row for row in wanted if row["tag"] == "a"]
        sizes = size_history(destination)
        assert sizes.rows.schema.equals(SIZE_HISTORY.schema)
        assert [(row["snapshot_id"], row["stored_size"]) for row in sizes.rows.to_pylist()] == [
            (one.snapshot_id, one.totals["stored_size"]) for one in manifests
        ]


def tagged(image_id: str, *tags: str, repository: str = "r1/app", size: int = 10) -> Image:
    return Image(image_id, repository, (Blob(digest(size), size),), tags=tags)


def world(*images: Image, **more: Any) -> World:
    return World(
        images=images,
        clouds=("c1",),
        folders=(("f1", "c1"),),
        registries=(("r1", "f1", "c1"),),
        repositories=("r1/app",),
        **more,
    )


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Return the command with five nights: a tag moves, is missing in a partial one, and moves."""
    exporter = Exporter(tmp_path_factory.mktemp("history"))
    denied = (("images", "r1", "denied"),)
    nights = [
        world(tagged("i1", "latest", "v1")),
        world(tagged("i1", "v1"), tagged("i2", "latest", size=20)),
        world(coverage=denied),
        world(tagged("i1", "v1"), tagged("i2", "latest", size=20)),
    ]
    for number, night in enumerate(nights):
        publish_estate(exporter.output, f"night-{number}", night, night=number)
    # A night of another source is not part of the output's own history.
    other = world(tagged("i9", "latest"))
    source = {"profile": "yandex"}
    publish_estate(exporter.output, "elsewhere", other, started_at=START - NIGHT, source=source)
    publish_estate(exporter.output, "night-4", nights[3], night=4)
    exporter.environment["REGISTRY_EXPORTER__OUTPUT__URL"] = str(exporter.output)
    return exporter


def ask(command: Exporter, *arguments: str, code: int) -> Run:
    run = command.command("history", *arguments)
    assert run.code == code, run.stderr
    assert run.stderr.count("\n") == int(code != 0)
    return run


def test_a_tag_s_runs_and_what_was_not_listed(command: Exporter) -> None:
    run = ask(command, "r1/app:latest", "--format", "json", code=3)
    rows = json.loads(run.stdout)
    assert list(rows[0]) == TAG_HISTORY.schema.names
    assert [
        (row["image_id"], row["first_snapshot_id"], row["last_snapshot_id"], row["is_current"])
        for row in rows
    ] == [("i1", "night-0", "night-0", False), ("i2", "night-1", "night-4", True)]
    assert rows[1]["last_seen_at"] == "2026-01-05T00:00:00Z"
    assert "Snapshot night-2 did not list this repository whole" in run.stderr
    assert "coverage-gaps --snapshot night-2" in run.stderr
    told = ask(command, "r1/app:l*", code=3).stdout.splitlines()
    assert [line.split()[0] for line in told[:3]] == ["tag", "latest", "latest"]
    assert told[-1].startswith("Of 5 snapshots, from 2026-01-01 to 2026-01-05; history is as long")


def test_sizes_of_a_scope_by_snapshot(command: Exporter) -> None:
    run = ask(command, "--sizes", "--format", "json", code=3)
    rows = json.loads(run.stdout)
    assert list(rows[0]) == SIZE_HISTORY.schema.names
    assert [(row["stored_size"], row["complete"]) for row in rows] == [
        (10, True),
        (30, True),
        (0, False),
        (30, True),
        (30, True),
    ]
    assert "Snapshot night-2 lacked a part of this scope" in run.stderr
    for scope_id in ("c1", "f1", "r1", "r1/app"):
        found = json.loads(ask(command, "--sizes", scope_id, "--format", "json", code=3).stdout)
        assert {row["scope_id"] for row in found} == {scope_id}
        assert [row["image_count"] for row in found] == [1, 2, 0, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Name a REPOSITORY[:TAG], or give --sizes"),
        (["r1/ap"], 1, "No snapshot has the repository r1/ap: the nearest is r1/app."),
        (["--sizes", "r11"], 1, "No snapshot has the scope r11: the nearest are r1"),
    ],
)
def test_refusals(command: Exporter, arguments: list[str], code: int, said: str) -> None:
    assert said in ask(command, *arguments, code=code).stderr


def test_a_tag_that_was_never_there(command: Exporter) -> None:
    said = ask(command, "r1/app:v2", code=3).stdout
    assert said.startswith("No snapshot lists such a tag in r1/app:v2; the nearest tag is v1.\n")
    assert ask(command, "r1/app:v2", "--format", "json", code=3).stdout == "[]\n"


def test_a_repository_that_patterns_leave_out_was_not_listed(tmp_path: Path) -> None:
    # What is listed all the same (a repository is asked for with its registry) does not count.
    images = (tagged("i1", "v1"), tagged("i2", "v1", repository="r1/web"))
    skipped = (("images", "r1", "skipped"),)
    for night in range(2):
        night_world = world(*images, coverage=skipped)
        publish_estate(tmp_path, f"night-{night}", night_world, night=night, scope=SOME)
    destination = open_destination(str(tmp_path))
    assert tag_history(destination, "r1/app").rows.column("is_current").to_pylist() == [True]
    left_out = tag_history(destination, "r1/web")
    assert (left_out.rows.num_rows, len(left_out.not_listed)) == (0, 2)


def test_history_in_a_bucket_reads_parquet_in_place_and_ndjson_as_well() -> None:
    key = Key(SecretStr("test"), SecretStr("test"))
    with S3() as server:
        access = Access(endpoint=server.url, path_style=True, key=key)
        destination = open_destination("s3://bucket/inventory", access)
        publish_estate(destination, "one", world(tagged("i1", "v1")))
        publish_estate(destination, "two", world(tagged("i1", "v1")), night=1, formats=["ndjson"])
        server.calls.clear()
        found = tag_history(destination, "r1/app:v1").rows.to_pylist()
        assert [(row["first_snapshot_id"], row["last_snapshot_id"]) for row in found] == [
            ("one", "two")
        ]
        read = [call for call in server.calls if call.method == "GET" and "/parquet/" in call.path]
        assert {call.path.split("/")[4] for call in read} == {
            "coverage",
            "registries",
            "tags",
        }
        assert all("Range" in call.headers for call in read)
        assert size_history(destination).rows.column("stored_size").to_pylist() == [10, 10]


def test_memory_and_open_files_do_not_grow_with_the_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = tagged("i2", *(f"t{number}" for number in range(20_000)), repository="r1/crowd")
    publish_estate(tmp_path, "one", world(tagged("i1", "v1"), crowd))
    repeat(tmp_path, "one", 60)
    seen: list[tuple[int, int]] = []
    dataset = Snapshot.dataset
    with open_snapshot(tmp_path, "one") as snapshot:
        whole: int = snapshot.dataset("tags").to_table().nbytes

    def watched(self: Snapshot, table: str) -> Any:
        files = len(list(Path("/proc/self/fd").iterdir()))
        seen.append((files, pa.total_allocated_bytes()))
        return dataset(self, table)

    monkeypatch.setattr(Snapshot, "dataset", watched)
    for name in ("r1/app:v1", "r1/app"):
        seen.clear()
        found = tag_history(open_destination(str(tmp_path)), name)
        assert (found.rows.num_rows, found.span.count) == (1, 61)
        assert found.rows.column("last_snapshot_id").to_pylist() == ["one-060"]
        early, late = seen[2:20], seen[-20:]
        # Arrow closes files and frees memory a little later, in its own threads; 40 snapshots lie
        # between the early ones and the late ones.
        assert max(files for files, _ in late) <= max(files for files, _ in early) + 10
        assert max(held for _, held in late) <= max(held for _, held in early) + 5 * whole


def test_nights_of_another_scope_count_where_they_listed_the_repository(tmp_path: Path) -> None:
    night = world(tagged("i1", "v1"))
    publish_estate(tmp_path, "wide", night)
    publish_estate(tmp_path, "other", night, night=1, scope={"registries": ["r9"]})
    publish_estate(tmp_path, "narrow", night, night=2, scope={"registries": ["r1"]})
    destination = open_destination(str(tmp_path))
    (row,) = tag_history(destination, "r1/app:v1").rows.to_pylist()
    assert (row["first_snapshot_id"], row["last_snapshot_id"]) == ("wide", "narrow")
    of_registry = size_history(destination, "r1").rows.column("snapshot_id").to_pylist()
    assert of_registry == ["wide", "other", "narrow"]
    assert size_history(destination).rows.column("snapshot_id").to_pylist() == ["narrow"]
    wide = read_snapshot(destination, "wide").manifest
    (row,) = tag_history(destination, "r1/app:v1", until=wide).rows.to_pylist()
    assert row["last_snapshot_id"] == "wide"


def test_a_snapshot_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    for number in range(2):
        publish_estate(exporter.output, f"night-{number}", world(tagged("i1", "v1")), night=number)
    (Path(exporter.output) / "manifests" / "night-0.json").write_text("{")
    run = exporter.command("history", "r1/app", "--output", str(exporter.output))
    assert run.code == 3, run.stderr
    assert "Snapshot night-0 cannot be read" in run.stderr
