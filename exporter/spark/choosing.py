"""The source that the settings name, as a driver and in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exporter.settings import Settings
from exporter.sources.cloud.driver import CloudDriver
from exporter.sources.cloud.part import CloudPart
from exporter.sources.parts import Driver, Part


def driver_of(settings: Settings) -> Driver:
    """Return the driver's source."""
    return CloudDriver(settings)


def part_of(settings: Settings, work: Sequence[Any]) -> Part:
    """Return the source of one part; `work` are its units."""
    return CloudPart(settings, work)
