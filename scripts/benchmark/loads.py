"""The scenario `load`: one snapshot of every table into PostgreSQL, by several programs.

Each contender gets an empty database of a server with the settings that PostgreSQL comes with.
`psql` copies files of the very rows that the exporter has loaded, into tables with the same
columns, and builds the same keys and indexes afterwards, in one transaction.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.emulated import emulated
from benchmark.measure import Measured, measure
from benchmark.report import table
from benchmark.runner import BenchmarkError, Say
from benchmark.scenarios import Scenario
from benchmark.targets import Target
from tests.load.postgres import Server, running_server

NAME = "load"
IMAGES, QUICK_IMAGES = 100_000, 5_000
SCHEMA = "registry_inventory"
_DATABASE = "bench"
_SLOW = ("dlt", "pandas")
"""They run once: they take many times as long as the others."""


@dataclass(frozen=True)
class Place:
    """What a contender is given: the snapshot, files of its rows, and an empty database."""

    output: Path
    files: Path
    server: Server

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.server.tcp_url("owner", "any", _DATABASE)


Command = Callable[[Place], list[str]]


@dataclass(frozen=True)
class Loads:
    """All measured runs of each contender, and the number of rows that each loaded."""

    images: int
    rows: int
    runs: dict[str, list[Measured]]

    def seconds(self, name: str) -> float:
        """Median wall time of a contender."""
        return statistics.median(run.seconds for run in self.runs[name])


def _exporter(place: Place) -> list[str]:
    command = [sys.executable, "-m", "exporter", "load", "--to", place.url, "--log-format", "json"]
    return [*command, "--output", str(place.output)]


def _psql(format_: str) -> Command:
    def command(place: Place) -> list[str]:
        script = str(place.files / f"{format_}.sql")
        return [_program("psql"), "-Xq", "-1", "-v", "ON_ERROR_STOP=1", "-f", script, place.url]

    return command


def _rival(module: str) -> Command:
    def command(place: Place) -> list[str]:
        arguments = ["--url", place.url, "--snapshots", str(place.output)]
        return [sys.executable, "-m", f"benchmark.rivals.{module}", *arguments]

    return command


CONTENDERS: dict[str, tuple[str, Command]] = {
    "exporter load": ("registry-exporter load", _exporter),
    "psql csv": ("psql: COPY from CSV files, then keys and indexes", _psql("csv")),
    "psql binary": ("psql: COPY from binary files, then keys and indexes", _psql("binary")),
    "dlt": ("dlt: Arrow batches by CSV, without keys", _rival("dlt_load")),
    "pandas": ("pandas: to_sql in chunks of 10,000, without keys", _rival("pandas_load")),
}


def run_loads(repeats: int, say: Say, *, quick: bool) -> Loads:
    """Measure every contender; raises `BenchmarkError` if one fails, or loads other rows."""
    images = QUICK_IMAGES if quick else IMAGES
    folder = Path(tempfile.mkdtemp(prefix="registry-bench-"))
    try:
        say(f"{NAME}: exporting {images:,} images")
        rows = _export(images, folder)
        with running_server(usual=True) as server:
            # The server's own user writes the files that psql reads.
            files = server.folder / "files"
            files.mkdir(mode=0o777)
            files.chmod(0o777)
            place = Place(folder / "snapshots", files, server)
            say(f"{NAME}: writing the files for psql")
            _write_files(place)
            runs: dict[str, list[Measured]] = {name: [] for name in CONTENDERS}
            for number in range(repeats):
                for name in CONTENDERS:
                    if number == 0 or name not in _SLOW:
                        cost = _run(name, place, rows, folder)
                        runs[name].append(cost)
                        say(f"{NAME}: {name} {number + 1}: {cost.seconds:.2f} s")
            return Loads(images, rows, runs)
    finally:
        shutil.rmtree(folder)


def loads_table(loads: Loads) -> str:
    """Return the scenario as a Markdown table."""
    head = ["contender", "wall s", "rows a second", "client CPU s", "client peak MB", "wall ÷ load"]
    own = loads.seconds("exporter load")
    lines = [
        [
            name,
            f"{loads.seconds(name):.2f}",
            f"{loads.rows / loads.seconds(name):,.0f}",
            f"{statistics.median(run.user + run.system for run in runs):.2f}",
            f"{max(run.peak_bytes for run in runs) / 1e6:.0f}",
            f"{loads.seconds(name) / own:.2f}",
        ]
        for name, runs in loads.runs.items()
    ]
    title = f"## {NAME}: {loads.images:,} images, {loads.rows:,} rows into PostgreSQL"
    return "\n".join([title, "", *table(head, lines)])


def judge_loads(loads: Loads) -> list[Target]:
    """Return the targets of the scenario."""
    own = loads.seconds("exporter load")
    ratio = loads.seconds("psql csv") / own
    peak = max(run.peak_bytes for run in loads.runs["exporter load"]) / 1e6
    return [
        Target("load: speed, exporter ÷ psql's COPY of CSV", ratio, 0.7, at_most=False),
        Target("load: wall time, dlt ÷ exporter", loads.seconds("dlt") / own, 1, at_most=False),
        Target("load: peak memory, MB", peak, 500, at_most=True),
    ]


def _export(images: int, folder: Path) -> int:
    """Export an estate to `snapshots` in a folder, and return its number of rows."""
    scenario = Scenario(NAME, "million", images, 0, (), warm=False)
    with emulated(scenario) as cloud:
        services = ("container_registry", "resource_manager", "iam")
        settings = {
            "endpoints": dict.fromkeys(services, cloud.url),
            "credentials": {"iam_token": cloud.token},
            "output": {"url": str(folder / "snapshots"), "formats": ["parquet"]},
        }
        config = folder / "settings.yaml"
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        command = [sys.executable, "-m", "exporter", "export", "--quiet", "--config", str(config)]
        subprocess.run(command, check=True)
    manifest = json.loads((folder / "snapshots/manifests/latest.json").read_bytes())
    return sum(entry["rows"] for entry in manifest["tables"].values())


def _write_files(place: Place) -> None:
    """Load once, write each table to a file of each format, and the scripts that copy them."""
    _renew(place.server)
    subprocess.run(_exporter(place), check=True, stderr=subprocess.DEVNULL)
    command = [sys.executable, "-m", "benchmark.psql_scripts", str(place.output), str(place.files)]
    scripts = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    with place.server.connect(_DATABASE) as connection:
        for name in scripts["tables"]:
            for format_ in ("csv", "binary"):
                file = place.files / f"{name}.{format_}"
                source = f"(SELECT * FROM {SCHEMA}.{name})"  # noqa: S608 - names of tables
                connection.execute(f"COPY {source} TO '{file}' (FORMAT {format_})")


def _run(name: str, place: Place, rows: int, folder: Path) -> Measured:
    _renew(place.server)
    log = folder / "log.txt"
    cost = measure(CONTENDERS[name][1](place), log, os.environ)
    if cost.exit_code != 0:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise BenchmarkError(f"{name} ended with {cost.exit_code}:\n{tail}")
    loaded = sum(_counts(place.server))
    if loaded != rows:
        raise BenchmarkError(f"{name} loaded {loaded} rows of {rows}")
    return cost


def _renew(server: Server) -> None:
    """Make an empty database, and write out what the last contender left in memory."""
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {_DATABASE}")
        connection.execute("CHECKPOINT")


def _counts(server: Server) -> Iterator[int]:
    """Count the rows of every table of the snapshot, in whichever schema it is."""
    query = """
        SELECT format('SELECT count(*) FROM %I.%I', nspname, relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname IN ('registry_inventory', 'public', 'registry')
            AND relkind IN ('r', 'p') AND NOT relispartition
            AND relname <> 'snapshots' AND relname NOT LIKE '\\_dlt%'
    """
    with server.connect(_DATABASE) as connection:
        for (counting,) in connection.execute(query).fetchall():
            found = connection.execute(counting).fetchone()
            yield int(found[0]) if found else 0


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BenchmarkError(f"{name} is missing: install PostgreSQL's client")
    return found
