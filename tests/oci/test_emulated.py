"""Exports of random emulated registries, by the real command, become exactly what they have."""

from __future__ import annotations

from pathlib import Path

from exporter.emulator.oci import preset
from tests.oci.emulated import Emulated, assert_true
from tests.oci.exports import export


def test_every_kind_of_manifest_is_listed_as_it_is(tmp_path: Path) -> None:
    shape = preset("odd", seed=7, repositories=12, tags=200)
    with Emulated(shape) as emulated:
        run = export(tmp_path, {"registry": emulated.registry})
        assert run.code == 0, run.stderr
        assert_true(run.snapshot(), emulated)
