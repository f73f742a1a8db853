"""A cloud listed in parts: the rows, the ledger and the calls of one machine's export."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from exporter import Settings
from exporter.emulator import Shape
from exporter.emulator.shape import Quirks
from exporter.output import open_output
from exporter.snapshots.hints import image_counts
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.spark.parts import FEW_FAULTS, Parts, check_rows, list_in_parts

SHAPE = Shape(seed=7, clouds=2, folders=6, registries=16, repositories=60, images=900, layers=4)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks find the token where the settings file says."""
    monkeypatch.setenv("REGISTRY_IAM_TOKEN", Cloud.token)


def expected(exporter: Exporter) -> dict[str, int]:
    """Return the image counts that the newest snapshot of an output has."""
    return image_counts(open_output(Settings(**exporter.settings())))


def ledger_of(parts: Parts) -> dict[tuple[str, str], str | None]:
    entries = parts.merged.coverage.entries()
    return {(entry.listing, entry.parent_id): entry.status for entry in entries}


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_parts_together_list_what_one_machine_lists_with_no_more_calls(
    seed: int, serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    shape = replace(SHAPE, seed=seed, quirks=Quirks.all())
    exporter = Exporter(tmp_path, serve_cloud(shape))
    sections = {"limits": {"page_size": 100}}
    cold = exporter.export(sections)
    config = exporter.write_config(sections)
    for slots, known in ((2, {}), (1, expected(exporter)), (8, expected(exporter))):
        parts = list_in_parts(config, tmp_path / f"parts-{slots}", slots=slots, expected=known)
        check_rows(parts.tables(), cold.tables)
        assert ledger_of(parts) == cold.statuses()
        assert parts.merged.requests.calls <= 1.05 * cold.manifest["requests"]["calls"]
    # Registries that an earlier snapshot knows to be small are listed together.
    warm = exporter.export(sections)
    assert warm.manifest["requests"]["calls"] < cold.manifest["requests"]["calls"]
    assert parts.merged.requests.calls <= 1.05 * warm.manifest["requests"]["calls"]


def test_parts_list_the_same_where_calls_fail_and_registries_are_denied_gone_or_left_out(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(replace(SHAPE, quirks=Quirks.all()))
    denied, gone, still_named, left_out, *_ = sorted(one["id"] for one in cloud.estate.registries())
    faults = replace(
        FEW_FAULTS,
        denied=frozenset({denied}),
        vanished={gone: 0},
        unfound=frozenset({still_named}),
    )
    cloud.faults = faults
    exporter = Exporter(tmp_path, cloud)
    sections = {"scope": {"exclude": {"registries": [left_out]}}}
    whole = exporter.export(sections)
    # What vanishes is found once more.
    exporter = exporter.for_cloud(serve_cloud(cloud.estate, faults=faults))
    parts = list_in_parts(exporter.write_config(sections), tmp_path / "parts", slots=4, expected={})
    check_rows(parts.tables(), whole.tables)
    assert ledger_of(parts) == whole.statuses()
    assert {"denied", "vanished", "failed", "skipped", "complete"} <= set(whole.statuses().values())
    codes = {
        (row["listing"], row["parent_id"]): (row["http_status"], row["error_code"])
        for row in whole.tables["coverage"]
    }
    for entry in parts.merged.coverage.entries():
        told = (entry.http_status, entry.error_code)
        assert told == codes[entry.listing, entry.parent_id]


def test_a_registry_or_a_pattern_that_is_named_and_not_found_is_noticed_by_the_driver(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = Exporter(tmp_path, cloud)
    registry = min(one["id"] for one in cloud.estate.registries())
    sections = {
        "scope": {
            "registries": [registry, "crpnowhere"],
            "repositories": {"include": ["*", "no-such-*"]},
        }
    }
    whole = exporter.export(sections)
    parts = list_in_parts(exporter.write_config(sections), tmp_path / "parts", slots=4, expected={})
    check_rows(parts.tables(), whole.tables)
    assert ledger_of(parts) == whole.statuses()
    assert whole.manifest["status"] == "partial"
    sections["scope"]["registries"] = ["crpnowhere"]
    nothing = list_in_parts(
        exporter.write_config(sections), tmp_path / "nothing", slots=4, expected={}
    )
    assert "crpnowhere" in str(nothing.merged.source.refusal)


def test_a_part_keeps_to_the_scope_and_the_pages_of_the_driver_whatever_its_environment_says(
    serve_cloud: ServeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = Exporter(tmp_path, cloud)
    sections = {
        "scope": {"repositories": {"exclude": ["*-1"]}},
        "limits": {"page_size": 50, "request_timeout": 7},
    }
    whole = exporter.export(sections)
    config = exporter.write_config({"limits": {"page_size": 50, "request_timeout": 7}})
    monkeypatch.setenv("REGISTRY_EXPORTER__SCOPE__REPOSITORIES__EXCLUDE", '["*-1"]')

    def on_another_machine() -> None:
        monkeypatch.delenv("REGISTRY_EXPORTER__SCOPE__REPOSITORIES__EXCLUDE")
        monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__PAGE_SIZE", "1")

    before = len(cloud.calls)
    parts = list_in_parts(
        config, tmp_path / "parts", slots=2, expected={}, meanwhile=on_another_machine
    )
    check_rows(parts.tables(), whole.tables)
    assert len(cloud.calls) - before <= 1.05 * whole.manifest["requests"]["calls"]
    assert "skipped" in whole.statuses().values()


def test_the_driver_alone_looks_for_services_and_lists_what_is_above_registries(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(SHAPE)
    exporter = Exporter(tmp_path, cloud)
    told = exporter.settings()
    del told["endpoints"]
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(told | {"domain": cloud.url}), encoding="utf-8")
    parts = list_in_parts(config, tmp_path / "parts", slots=4, expected={})
    assert len(parts.results) > 1
    asked = Counter(call.path.rpartition("/")[2] for call in cloud.calls)
    assert asked["endpoints"] == asked["clouds"] == 1
    assert asked["folders"] == SHAPE.clouds
    assert asked["registries"] == SHAPE.folders
