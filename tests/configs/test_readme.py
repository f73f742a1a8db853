"""Every snippet of the README, run as it stands there, against a served cloud and its snapshots."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.emulator import Behaviour, ServiceKey
from tests.e2e.clouds import SMALL, Cloud
from tests.e2e.commands import BOTH, Exporter
from tests.oracle.snapshots import Snapshot, read_snapshot, snapshot_ids

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = "".join(text for language, text in BLOCKS if language == "sh")
(SETTINGS,) = [text for language, text in BLOCKS if language == "yaml"]

SET_UP = {"scripts/demo", "scripts/test", "scripts/bench", "pip", "pipx", "uv", "export"} | {
    "useradd", "install", "python3", "/opt/registry-exporter/bin/pip", "systemctl",
    "registry-exporter-spark", "spark-submit",
}  # fmt: skip
"""First words of lines that are not run here: what they start is what runs these tests, or is long
and measured; a person's own token; an installation, which these tests have behind them, or for
which root is needed (test_examples.py holds that against the files); and Spark (tests/spark)."""

COUNTED = {
    "DuckDB": "images.num_rows",
    "polars": "len(images)",
    "PyArrow": "images.num_rows",
    "pandas": "len(images)",
    "Spark": "images.count()",
}
"""How many rows each reader has found, as its own library counts them."""


@dataclass(frozen=True)
class Workspace:
    """A folder as the README's reader has it: snapshots in it, and the cloud they are of."""

    folder: Path
    cloud: Cloud
    environment: dict[str, str]

    @property
    def latest(self) -> Snapshot:
        """The newest of the snapshots, as the default id names it."""
        return read_snapshot(self.folder / "snapshots", snapshot_ids(self.folder / "snapshots")[-1])

    def python(self, text: str) -> str:
        """Run a snippet in the folder; return what it prints."""
        return self.run([sys.executable, "-c", text])

    def run(self, line: list[str]) -> str:
        """Run a command in the folder; return what it prints."""
        done = subprocess.run(
            line, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def nights(
    keys: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Path]]:
    """Export two nights, of which one is named as other people name theirs: by its date."""
    behaviour = Behaviour(
        service_keys={"key1": ServiceKey("aje1", keys[1])},
        audiences=frozenset({"https://iam.api.il.nebius.cloud/iam/v1/tokens"}),
    )
    with Cloud(SMALL, behaviour) as cloud:
        exporter = Exporter(tmp_path_factory.mktemp("nights"), cloud)
        exporter.export(BOTH, snapshot_id="2026-11-28")
        exporter.export(BOTH)
        yield cloud, exporter.output


@pytest.fixture
def place(
    nights: tuple[Cloud, Path],
    exporter_for: Callable[[Cloud | None], Exporter],
    keys: tuple[str, str],
) -> Workspace:
    """Copy the two nights into a folder of the test's own."""
    key = {"id": "key1", "service_account_id": "aje1", "private_key": keys[0]}
    cloud, published = nights
    exporter = exporter_for(cloud)
    shutil.copytree(published, exporter.output)
    (exporter.folder / "key.json").write_text(json.dumps(key))
    (exporter.folder / "key.json").chmod(0o600)
    services = ("CONTAINER_REGISTRY", "RESOURCE_MANAGER", "IAM")
    commands = f"{Path(sys.executable).parent}{os.pathsep}{exporter.environment['PATH']}"
    environment = exporter.environment | {"PATH": commands}
    environment |= {f"REGISTRY_EXPORTER__ENDPOINTS__{one}": cloud.url for one in services}
    # Spark's Java: to compile for a few rows takes longer than to read them.
    environment["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    return Workspace(exporter.folder, cloud, environment)


def snippet(what: str) -> str:
    """Return the README's one block of Python that has these words in it."""
    (found,) = (str(text) for text in PYTHON if what in text)
    return found


def reader(name: str) -> str:
    """Return the README's lines for one of the readers, with what they begin with."""
    (block,) = [text for text in PYTHON if f"# {name}\n" in text]
    sections = re.split(r"^(?=# )", block, flags=re.MULTILINE)
    # pandas reads with the partitioning that PyArrow has just been told of.
    needed = [name] if name != "pandas" else ["PyArrow", name]
    return "".join(one for one in sections if re.match(r"# |$", one) is None or _is(one, needed))


def _is(section: str, names: list[str]) -> bool:
    return any(section.startswith(f"# {name}\n") for name in names)


def test_the_query_of_sizes_shows_repositories_of_the_latest_snapshot_alone(
    place: Workspace,
) -> None:
    query = snippet("ORDER BY untagged_size DESC")
    printed = place.python(query.replace(".show()", ".write_csv('shown.csv')"))
    assert printed == ""
    shown = (place.folder / "shown.csv").read_text().splitlines()[1:]
    largest = sorted(
        (row for row in place.latest.tables["size_totals"] if row["scope"] == "repository"),
        key=lambda row: -row["untagged_size"],
    )[:10]
    assert [int(line.split(",")[3]) for line in shown] == [row["untagged_size"] for row in largest]
    assert len({line.split(",")[0] for line in shown}) == len(shown)


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_each_reader_finds_the_images_of_the_latest_snapshot_alone(
    name: str, place: Workspace
) -> None:
    printed = place.python(reader(name) + f"print({COUNTED[name]})")
    assert int(printed) == place.cloud.estate.shape.images


def test_the_query_of_manifests_counts_no_snapshot_twice(place: Workspace) -> None:
    query = snippet("manifests/run-*.json")
    place.python(query.replace(".show()", ".write_csv('shown.csv')"))
    shown = (place.folder / "shown.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in shown] == [place.latest.id]


def test_the_library_exports_as_the_readme_says(place: Workspace) -> None:
    registry = place.latest.tables["registries"][0]["registry_id"]
    text = snippet("asyncio.run(export(settings))").replace("crp0123456789abcdefg", registry)
    printed = place.python(text.replace("s3://inventory/registry", "./inventory"))
    assert printed.startswith("complete ")
    assert len(snapshot_ids(place.folder / "inventory")) == 1


def test_a_program_reads_a_snapshot_as_the_readme_says(place: Workspace) -> None:
    printed = place.python(snippet("with open_snapshot(")).splitlines()
    assert printed[0] == f"{place.latest.id} complete"
    untagged = [row for row in place.latest.tables["images"] if not row["tag_count"]]
    assert printed[-1] == f"{len(untagged)} images without a tag"


def test_the_loop_deletes_what_is_selected_before_and_after_another_export(
    place: Workspace,
) -> None:
    (loop,) = [text for language, text in BLOCKS if language == "bash"]
    vendor = place.folder / "yc"
    vendor.write_text('#!/bin/sh\necho "$@" >> asked.txt\n')
    vendor.chmod(0o755)
    place.environment["PATH"] = f"{place.folder}{os.pathsep}{place.environment['PATH']}"
    untagged = {row["image_id"] for row in place.latest.tables["images"] if not row["tag_count"]}
    place.run(["bash", "-c", loop])
    asked = (place.folder / "asked.txt").read_text().splitlines()
    assert asked == [f"container image delete {one}" for one in sorted(untagged)]


def test_the_settings_file_and_the_commands_run_one_after_the_other(place: Workspace) -> None:
    key = str(place.folder / "key.json")
    output = str(place.folder / "kept")
    text = SETTINGS.replace("/etc/registry-exporter/key.json", key)
    (place.folder / "cron.yaml").write_text(text.replace("s3://inventory/registry", output))
    commands = [shlex.split(line, comments=True) for line in SHELL.splitlines()]
    run = [line for line in commands if line and line[0] not in SET_UP]
    assert {line[0] for line in run} == {"registry-exporter"}
    for line in run:
        place.run(line)
    assert len(snapshot_ids(place.folder / "kept")) == 1
    assert len(snapshot_ids(place.folder / "snapshots")) == 4
