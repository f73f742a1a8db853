"""How much memory a process may use: the least that the machine and its control groups allow."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.derive import slices
from exporter.sql import engine
from exporter.sql.engine import (
    FOR_FEW,
    FOR_MANY,
    Resources,
    TooLittleMemoryError,
    resources_for,
    with_enough_memory,
)
from exporter.sql.memory import usable_memory

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MB = 1024 * 1024
V2 = "31 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 {root} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)
NO_LIMIT_V1 = "9223372036854771712\n"


def system(folder: Path, own: str, mounts: str, limits: dict[str, str]) -> Path:
    """Lay out /proc and /sys as a kernel does, and return where."""
    files = {"proc/self/cgroup": own, "proc/self/mountinfo": mounts}
    files |= {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("own", "mounts", "limits", "most"),
    [
        pytest.param(
            "0::/system.slice/x.service\n",
            V2.format(root="/"),
            {"system.slice/x.service/memory.max": f"{600 * MB}\n"},
            600 * MB,
            id="v2, as systemd sets MemoryMax",
        ),
        pytest.param(
            "0::/pod/container\n",
            V2.format(root="/"),
            {"pod/container/memory.max": "max\n", "pod/memory.max": f"{300 * MB}\n"},
            300 * MB,
            id="v2, the limit is of the group around",
        ),
        pytest.param(
            "0::/\n",
            V2.format(root="/"),
            {"memory.max": f"{512 * MB}\n", "memory.high": f"{400 * MB}\n"},
            400 * MB,
            id="v2, a container that sees its own group alone",
        ),
        pytest.param(
            "4:memory:/docker/1f2e\n0::/\n",
            V1.format(root="/docker/1f2e"),
            {"memory/memory.limit_in_bytes": f"{256 * MB}\n"},
            256 * MB,
            id="v1, a container",
        ),
        pytest.param(
            "9:cpu,cpuacct:/x\n4:hugetlb,memory:/a/b c\n",
            V1.format(root="/a"),
            {
                "memory/b c/memory.limit_in_bytes": NO_LIMIT_V1,
                "memory/memory.limit_in_bytes": f"{200 * MB}\n",
            },
            200 * MB,
            id="v1, nested, below what is mounted",
        ),
        pytest.param(
            "4:memory:/a\n",
            V1.format(root="/"),
            {"memory/a/memory.limit_in_bytes": NO_LIMIT_V1},
            MACHINE,
            id="v1, no limit",
        ),
    ],
)
def test_the_least_limit_of_all_control_groups_holds(
    own: str, mounts: str, limits: dict[str, str], most: int, tmp_path: Path
) -> None:
    assert usable_memory(system(tmp_path, own, mounts, limits)) == most


def test_without_control_groups_the_machine_is_the_limit(tmp_path: Path) -> None:
    assert usable_memory(tmp_path) == MACHINE


def test_memory_is_doubled_up_to_half_of_what_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "usable_memory", lambda: 100 * MB)
    given: list[int] = []

    def work(resources: Resources) -> None:
        given.append(resources.memory_bytes)
        raise TooLittleMemoryError("more is needed")

    with pytest.raises(TooLittleMemoryError):
        with_enough_memory(work, Resources(10 * MB, 1))
    assert given == [10 * MB, 20 * MB, 40 * MB]


def parts_of(folder: Path, *rows: int) -> list[Path]:
    """Write files of so many rows, which are all null."""
    paths = [folder / f"{number}.parquet" for number in range(len(rows))]
    for path, count in zip(paths, rows, strict=True):
        pq.write_table(pa.table({"size": pa.nulls(count, pa.int64())}), path)
    return paths


def test_more_layers_get_more_memory_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "usable_memory", lambda: 8192 * MB)
    few, million, more = 1_000, 10_000_000, 24_000_000
    assert resources_for(parts_of(tmp_path, few)) == FOR_FEW
    assert resources_for(parts_of(tmp_path, few), one_by_one=True) == FOR_MANY
    assert resources_for(parts_of(tmp_path, million)) == FOR_MANY
    assert resources_for(parts_of(tmp_path, million, more - million)) == Resources(320 * MB, 1)
    monkeypatch.setattr(engine, "usable_memory", lambda: 400 * MB)
    assert resources_for(parts_of(tmp_path, more)) == Resources(200 * MB, 1)
    monkeypatch.setattr(engine, "usable_memory", lambda: 100 * MB)
    assert resources_for(parts_of(tmp_path, more)) == FOR_MANY


def test_no_slice_has_more_layers_than_it_may_but_a_registry_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "SLICE_ROWS", 5)
    registries = {"a": 3, "b": 2, "it's": 9, "z": 1, None: 2}
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE images (registry_id VARCHAR, layer_count BIGINT)")
        for registry, layers in registries.items():
            connection.execute(
                "INSERT INTO images VALUES (?, ?), (?, 0)", [registry, layers, registry]
            )
        found = [
            {
                name
                for (name,) in connection.execute(
                    f"SELECT registry_id FROM images WHERE {one}"
                ).fetchall()
            }
            for one in slices.slices(connection)
        ]
        assert found == [{"a", "b", None}, {"it's"}, {"z"}]
        monkeypatch.setattr(slices, "SLICE_ROWS", 100)
        assert len(slices.slices(connection)) == 1
