"""The command `query`: SQL and named questions, rows in each format, refusals, interruptions."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter import open_snapshot
from exporter.analyze.questions import named_question, question_names
from tests.answers.estates import publish_estate
from tests.derive.estates import START, Blob, Image, World, digest
from tests.e2e.commands import Exporter, Process, Run
from tests.e2e.waiting import until

BASE, APP, BIG, OLD = (Blob(digest(n), size) for n, size in ((1, 100), (2, 7), (3, 5000), (4, 30)))
HOSTILE = "crp1/evil\x1b[31m\nname"


def days_ago(days: float) -> Any:
    return START - timedelta(days=days)


WORLD = World(
    images=(
        Image("i1", "crp1/app", (BASE, APP), tags=("v1", "latest"), created_at=days_ago(1)),
        Image("i2", "crp1/app", (BASE, BIG), digest="sha256:two", created_at=days_ago(10)),
        Image("i3", "crp1/app", (BASE, OLD), digest="sha256:old", created_at=days_ago(800)),
        Image("i4", "crp1/other", (BASE, APP), tags=("v1",), created_at=days_ago(400)),
        Image("i5", "crp2/app", (BASE, BIG), tags=("v2",), created_at=days_ago(2)),
        Image("i6", HOSTILE, (), digest="sha256:x", tags=("x",), created_at=None),
    ),
    clouds=("c1",),
    folders=(("f1", "c1"),),
    registries=(("crp1", "f1", "c1"), ("crp2", "f1", "c1")),
    repositories=("crp1/app", "crp1/other", "crp2/app", HOSTILE),
)
PARTIAL = World(**{**vars(WORLD), "coverage": (("images", "crp2", "denied"),)})


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Return the command with three snapshots at its output: one, two, and late, a partial one."""
    exporter = Exporter(tmp_path_factory.mktemp("query"))
    publish_estate(exporter.output, "one", WORLD)
    publish_estate(exporter.output, "two", WORLD, night=1)
    publish_estate(exporter.output, "late", PARTIAL, night=2)
    exporter.environment["REGISTRY_EXPORTER__OUTPUT__URL"] = str(exporter.output)
    temporary = exporter.folder / "tmp"
    temporary.mkdir()
    exporter.environment["TMPDIR"] = str(temporary)
    return exporter


def ask(command: Exporter, *arguments: str, code: int = 0) -> Run:
    run = command.command("query", *arguments)
    assert run.code == code, run.stderr
    return run


def rows(command: Exporter, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask(command, *arguments, "--format", "json").stdout)
    return found


ODD = (
    "SELECT count(*) AS n, sum(compressed_size) AS s, 1 AS n, INTERVAL 90 MINUTE AS i, "
    "{'a': 1, 'b': [true]} AS r, MAP {'k': 'v'} AS m, NULL AS nothing, DATE '2026-01-02' AS d, "
    "max(created_at) AS t, min(repository_name) FILTER (image_id = 'i6') AS name, 2.5 FROM images"
)


def test_rows_come_out_right_in_every_format(command: Exporter) -> None:
    total = sum(sum(one.size for one in image.layers) for image in WORLD.images)
    wanted = {
        "n": 6,
        "s": total,
        "n_2": 1,
        "i": "01:30:00",
        "r": {"a": 1, "b": [True]},
        "m": {"k": "v"},
        "nothing": None,
        "d": "2026-01-02",
        "t": "2025-12-31T00:00:00Z",
        "name": HOSTILE,
        "2.5": 2.5,
    }
    assert rows(command, ODD) == [wanted]
    line = ask(command, ODD, "--format", "ndjson").stdout
    assert [json.loads(one) for one in line.splitlines()] == [wanted]
    as_text = {
        name: "" if value is None else value if isinstance(value, str) else json.dumps(value)
        for name, value in wanted.items()
    }
    found = list(csv.DictReader(io.StringIO(ask(command, ODD, "--format", "csv").stdout)))
    assert [
        {name: text.replace(": ", ":").replace(", ", ",") for name, text in found[0].items()}
    ] == [{name: text.replace(": ", ":").replace(", ", ",") for name, text in as_text.items()}]
    ask(command, ODD, "--to", "rows.parquet")
    assert pq.read_schema(command.folder / "rows.parquet").field("s").type == pa.int64()
    (row,) = pq.read_table(command.folder / "rows.parquet").to_pylist(maps_as_pydicts="strict")
    assert (row["n"], row["s"], row["n_2"], row["i"]) == (6, total, 1, "01:30:00")
    assert (row["r"], row["m"], row["nothing"]) == (wanted["r"], wanted["m"], None)


def test_a_pipe_gets_every_row_on_a_line_of_its_own_and_names_print(command: Exporter) -> None:
    run = ask(command, "SELECT i AS stored_size, 'x' AS x FROM range(1500) AS r(i)")
    lines = run.stdout.splitlines()
    assert lines[0].split() == ["stored", "size", "x"]
    assert len(lines) == 1501
    assert lines[1025].split() == ["1.00", "KiB", "x"]
    listed = ask(command, "SELECT repository_name FROM images WHERE image_id = 'i6'").stdout
    assert listed.splitlines()[1] == "crp1/evil�[31m�name"


def test_snapshots_are_chosen_by_name(command: Exporter) -> None:
    which = "SELECT DISTINCT snapshot_id FROM images ORDER BY 1"
    assert rows(command, which) == [{"snapshot_id": "two"}]
    assert rows(command, which, "--snapshot", "previous") == [{"snapshot_id": "one"}]
    run = ask(command, which, "--snapshot", "all", "--format", "csv", code=3)
    assert run.stdout.split() == ['"snapshot_id"', '"late"', '"one"', '"two"']
    assert run.stderr.count("\n") == 1
    assert "Snapshot late is partial" in run.stderr
    named = ask(
        command, "--name", "registries", "--snapshot", "all", "--format", "ndjson", code=3
    ).stdout
    found = [json.loads(line) for line in named.splitlines()]
    assert [(row["snapshot_id"], row["registry_id"]) for row in found][:2] == [
        ("one", "crp1"),
        ("one", "crp2"),
    ]
    assert [row["complete"] for row in found] == [True] * 4 + [True, False]
    run = ask(command, which, "--snapshot", "tow", code=1)
    assert "There is no snapshot tow" in run.stderr
    assert "the nearest is two" in run.stderr


def test_a_snapshot_that_cannot_be_read_is_named(command: Exporter, tmp_path: Path) -> None:
    publish_estate(tmp_path, "good", WORLD)
    (tmp_path / "manifests" / "bad.json").write_text("{}", encoding="utf-8")
    sql = "SELECT count(*) AS n FROM images"
    run = ask(command, sql, "--snapshot", "all", "--output", str(tmp_path), code=3)
    assert run.stdout.split() == ["n", "6"]
    assert "Snapshot bad cannot be read" in run.stderr


def test_every_question_is_listed_and_answers(command: Exporter) -> None:
    listed = rows(command, "--list")
    assert [row["name"] for row in listed] == question_names()
    assert all(row["description"].endswith(".") for row in listed)
    needed = {"tag": "v1", "name": "crp1/*", "image": "i1"}
    with open_snapshot(command.output) as snapshot:
        for name in question_names():
            question = named_question(name)
            names = {one.name for one in question.parameters}
            values = question.values({key: needed[key] for key in needed.keys() & names})
            answer = snapshot.query(question.sql, values)
            assert answer.num_rows or question.if_none, name
            assert answer.num_rows or name in ("coverage-gaps", "findings"), name


def test_sql_that_is_shown_runs_again_as_it_is(command: Exporter) -> None:
    file = command.folder / "shown.sql"
    file.write_text(ask(command, "--name", "tag", "--show").stdout, encoding="utf-8")
    given = ("--param", "tag=v1")
    assert rows(command, "--file", "shown.sql", *given) == rows(command, "--name", "tag", *given)


def test_sql_from_stdin(command: Exporter) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "query", "--file", "-", "--format", "csv"],
        input="-- $least: count = 1 -- how many\nSELECT $least + 1 AS n",
        env=command.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == '"n"\n2\n'


def test_untagged_images_by_age_free_what_no_younger_one_needs(command: Exporter) -> None:
    found = [
        (row["age"], row["image_count"], row["logical_size"], row["freed_size"])
        for row in rows(command, "--name", "untagged-by-age", "--snapshot", "one")
    ]
    # The base layer is used by tagged images, too; only the large and the old layer would go.
    assert found == [
        ("7 to 30 days", 1, BASE.size + BIG.size, BIG.size + OLD.size),
        ("over 365 days", 1, BASE.size + OLD.size, OLD.size),
    ]


def test_who_uses_a_layer_or_the_layers_of_an_image(command: Exporter) -> None:
    of_layer = rows(command, "--name", "who-uses", "--param", f"digest={BIG.digest}")
    assert [(row["repository_name"], row["image_count"]) for row in of_layer] == [
        ("crp1/app", 1),
        ("crp2/app", 1),
    ]
    for name in ("i4", "crp1/other:v1"):
        of_image = rows(command, "--name", "who-uses", "--param", f"image={name}")
        assert [
            (row["layer"], row["repository_name"], row["image_count"], row["tagged_image_count"])
            for row in of_image
        ] == [
            (BASE.digest, "crp1/app", 3, 1),
            (BASE.digest, "crp1/other", 1, 1),
            (BASE.digest, "crp2/app", 1, 1),
            (APP.digest, "crp1/app", 1, 1),
            (APP.digest, "crp1/other", 1, 1),
        ]
    cut = f"digest={str(BIG.digest)[:19]}…"
    assert rows(command, "--name", "who-uses", "--param", cut) == of_layer
    assert rows(command, "--name", "who-uses", "--param", "digest=sha256:0") == []


def test_the_other_questions(command: Exporter) -> None:
    tag = rows(command, "--name", "tag", "--param", "tag=v*")
    assert [(row["repository_name"], row["tag"]) for row in tag] == [
        ("crp1/app", "v1"),
        ("crp1/other", "v1"),
        ("crp2/app", "v2"),
    ]
    stale = rows(command, "--name", "stale-repositories", "--param", "older_than=365d")
    assert [(row["repository_name"], row["days"]) for row in stale] == [("crp1/other", 401)]
    twice = rows(command, "--name", "duplicates")
    assert [(row["digest"], row["repositories"]) for row in twice] == [
        ("sha256:m", ["crp1/app", "crp1/other", "crp2/app"])
    ]
    shared = rows(command, "--name", "shared-layers")
    assert [(row["digest"], row["saved_size"]) for row in shared] == [
        (BASE.digest, 300),
        (APP.digest, 7),
    ]
    # In crp1 the base layer came with i3, long before: only the large one is new. In crp2 both are.
    month = rows(command, "--name", "growth-by-month")[-2]
    assert (month["month"], month["image_count"], month["new_size"]) == ("2025-12", 3, 10_100)
    gaps = ask(command, "--name", "coverage-gaps", "--snapshot", "late", code=3).stdout
    assert gaps.splitlines()[1].split()[:5] == ["denied", "images", "crp2", "name", "of"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing is asked"),
        (["SELECT 1", "--list"], "more than one thing is asked"),
        (["SELECT 1", "--show"], "add --name NAME"),
        (["--file", "missing.sql"], "--file missing.sql cannot be read: No such file"),
        (["--name", "largest-repos"], "the nearest is largest-repositories"),
        (["--name", "tag"], "The parameter tag is needed: the tag"),
        (["--name", "who-uses"], "One of the parameters digest and image is needed"),
        (["--name", "tag", "--param", "tag"], "--param tag: write NAME=VALUE"),
        (["--name", "tag", "--param", "tga=v1"], "There is no parameter tga here"),
        (["--name", "large-images", "--param", "limit=ten"], "The parameter limit cannot be ten"),
        (["--name", "large-images", "--param", "limit=0"], "a whole number of 1 or more"),
        (["--name", "stale-repositories", "--param", "older_than=x"], "cannot be x"),
        (["SELECT $a"], "The SQL needs a value for $a"),
        (["SELECT 1", "--param", "a=1"], "The SQL has no parameter $a"),
        (["DROP VIEW images"], "this is a DROP"),
        (["FROM imags"], "there is no table imags; the nearest is images"),
        (["SELECT 1", "--to", "rows.txt"], "does not end with a format"),
    ],
)
def test_refusals_are_one_sentence(command: Exporter, arguments: list[str], said: str) -> None:
    run = ask(command, *arguments, code=2)
    assert said in run.stderr
    assert (run.stdout, run.stderr.count("\n")) == ("", 1)


def test_nothing_is_left_of_a_file_whose_rows_fail(command: Exporter) -> None:
    failing = "SELECT CAST(if(i = 90000, 'x', '1') AS INT) AS n FROM range(100000) AS r(i)"
    run = ask(command, failing, "--to", "failed.csv", code=2)
    assert "Could not convert string 'x' to INT32" in run.stderr
    assert not [one for one in command.folder.iterdir() if "failed" in one.name]


def test_no_snapshot_and_no_folder(command: Exporter, tmp_path: Path) -> None:
    run = ask(command, "SELECT 1", "--output", str(tmp_path), code=1)
    assert "no snapshot is complete" in run.stderr
    run = ask(command, "SELECT 1", "--output", str(tmp_path), "--snapshot", "all", code=1)
    assert "run an export first" in run.stderr
    run = ask(command, "SELECT 1", "--output", str(tmp_path / "missing"), code=1)
    assert "there is no folder" in run.stderr
    ask(command, "SELECT 1", "--to", str(tmp_path / "missing" / "rows.csv"), code=5)


ENDLESS = "SELECT count(*) FROM range(1000000000) AS a(i), range(1000000000) AS b(j) WHERE i*j = 7"


@pytest.fixture
def endless(command: Exporter) -> Iterator[Process]:
    """Start a query that never ends, and wait until DuckDB is at it."""
    process = command.start_command("query", ENDLESS, "--to", "endless.csv")
    # Only this query takes so much time.
    until(lambda: cpu_seconds(process.pid) > 2, "the query runs")
    yield process
    process.signal(signal.SIGKILL)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_query_that_never_ends_is_interrupted(
    command: Exporter, endless: Process, number: signal.Signals, code: int
) -> None:
    endless.signal(number)
    run = endless.wait()
    assert (run.code, run.stdout) == (code, "")
    assert run.stderr == f"registry-exporter: Stopped by {number.name}.\n"
    assert list((command.folder / "tmp").iterdir()) == []
    assert not [one for one in command.folder.iterdir() if "endless" in one.name]
