"""A long registry listed in spans: nothing twice, nothing missed, and whom the list can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from exporter.emulator import Faults, Shape
from exporter.emulator.shape import Quirks
from exporter.output import open_output
from exporter.settings import load_settings
from exporter.snapshots.hints import image_counts
from exporter.sources.cloud.split.span import spans
from exporter.sources.cloud.units import SpanUnit
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.oracle.snapshots import Snapshot
from tests.spark.parts import FEW_FAULTS, Parts, check_rows, list_in_parts

SHAPE = Shape(seed=4, clouds=1, folders=1, registries=1, repositories=4, images=1600, layers=2)
SECTIONS = {"limits": {"page_size": 10}}
"""With so small pages, a registry of some images is long."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Serve one long registry."""
    with Cloud(SHAPE) as served:
        yield served


@pytest.fixture(autouse=True)
def fresh(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let tasks find the token, and everything go well again after each test."""
    monkeypatch.setenv("REGISTRY_IAM_TOKEN", Cloud.token)
    yield
    cloud.mend()


@pytest.fixture(scope="module")
def exporter(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Return the command for that registry."""
    return Exporter(tmp_path_factory.mktemp("one"), cloud)


@pytest.fixture(scope="module")
def snapshot(exporter: Exporter) -> Snapshot:
    """Return the snapshot of one machine."""
    return exporter.export(SECTIONS)


@pytest.fixture
def in_parts(exporter: Exporter, snapshot: Snapshot, tmp_path: Path) -> Callable[..., Parts]:
    """Return a function that lists the registry in parts, as an earlier snapshot knows it."""
    config = exporter.write_config(SECTIONS)
    expected = image_counts(open_output(load_settings(config)))

    def run(meanwhile: Callable[[], None] = lambda: None) -> Parts:
        return list_in_parts(
            config, tmp_path / "parts", slots=4, expected=expected, meanwhile=meanwhile
        )

    return run


def spans_of(parts: Parts) -> list[SpanUnit]:
    units = [unit for spec in parts.found.specs for unit in spec.work]
    return [unit for unit in units if isinstance(unit, SpanUnit)]


@given(
    names=some.sets(some.text(min_size=1, max_size=5), min_size=1, max_size=30),
    other=some.text(max_size=5),
    count=some.integers(1, 9),
    data=some.data(),
)
def test_every_name_listed_or_not_is_in_one_span(
    names: set[str], other: str, count: int, data: some.DataObject
) -> None:
    ordered = sorted(names)
    weights = [data.draw(some.floats(0.5, 50)) for _ in ordered]
    made = spans(ordered, weights, {}, None, count)
    assert 1 <= len(made) <= count
    assert [name for span in made for name in span.names] == ordered
    for name in (*ordered, other):
        assert [span.holds(name) for span in made].count(True) == 1
    for span in made:
        assert all(map(span.holds, span.names))
        assert span.names


@pytest.mark.parametrize("faults", [Faults(), FEW_FAULTS])
def test_spans_together_list_what_one_machine_lists_with_hardly_more_calls(
    faults: Faults, cloud: Cloud, snapshot: Snapshot, in_parts: Callable[..., Parts]
) -> None:
    cloud.faults = faults
    parts = in_parts()
    assert len(spans_of(parts)) > 1
    check_rows(parts.tables(), snapshot.tables)
    entries = parts.merged.coverage.entries()
    assert {(one.listing, one.parent_id): one.status for one in entries} == snapshot.statuses()
    requests = parts.merged.requests
    assert requests.calls - requests.retries <= 1.05 * snapshot.manifest["requests"]["calls"]


def test_spans_of_one_registry_may_be_listed_by_the_same_task(
    exporter: Exporter, snapshot: Snapshot, tmp_path: Path
) -> None:
    sections = {"limits": {"page_size": 10, "concurrency": 1}}
    config = exporter.write_config(sections)
    expected = image_counts(open_output(load_settings(config)))
    parts = list_in_parts(config, tmp_path / "parts", slots=8, expected=expected)
    assert len(parts.found.specs) == 1 < len(spans_of(parts))
    check_rows(parts.tables(), snapshot.tables)
    entries = parts.merged.coverage.entries()
    assert {(one.listing, one.parent_id): one.status for one in entries} == snapshot.statuses()


def test_a_repository_that_is_created_meanwhile_is_listed_once(
    cloud: Cloud, snapshot: Snapshot, in_parts: Callable[..., Parts]
) -> None:
    created = min(row["repository_name"] for row in snapshot.tables["repositories"])
    cloud.faults = Faults(hidden=frozenset({created}))
    parts = in_parts(meanwhile=cloud.mend)
    assert len(spans_of(parts)) > 1
    assert created not in {name for unit in spans_of(parts) for name in unit.span.names}
    check_rows(parts.tables(), snapshot.tables)


def test_a_repository_that_is_listed_and_not_found_lets_its_span_list_the_whole_registry(
    cloud: Cloud, snapshot: Snapshot, in_parts: Callable[..., Parts]
) -> None:
    unfound = max(row["repository_name"] for row in snapshot.tables["repositories"])

    def lose() -> None:
        cloud.faults = Faults(unfound=frozenset({unfound}))

    parts = in_parts(meanwhile=lose)
    assert len(spans_of(parts)) > 1
    check_rows(parts.tables(), snapshot.tables)
    assert parts.merged.coverage.complete


def test_a_registry_whose_list_lacks_a_repository_is_not_listed_in_spans(tmp_path: Path) -> None:
    shape = replace(SHAPE, quirks=Quirks(unlisted_repository=True))
    with Cloud(shape) as cloud:
        exporter = Exporter(tmp_path, cloud)
        snapshot = exporter.export(SECTIONS)
        config = exporter.write_config(SECTIONS)
        expected = image_counts(open_output(load_settings(config)))
        parts = list_in_parts(config, tmp_path / "parts", slots=4, expected=expected)
    assert not spans_of(parts)
    check_rows(parts.tables(), snapshot.tables)
