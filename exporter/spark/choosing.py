"""The source that the settings name, as a driver and in parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from exporter.settings import Settings
from exporter.sources.base import Source
from exporter.sources.cloud.driver import CloudDriver
from exporter.sources.cloud.part import CloudPart
from exporter.sources.cloud.source import CloudSource
from exporter.sources.oci.driver import OciDriver
from exporter.sources.oci.part import OciPart
from exporter.sources.parts import Driver, Part


def driver_of(settings: Settings, never_shared: Collection[str] = ()) -> Driver:
    """Return the driver's source; `never_shared` are registries that one part lists alone."""
    if settings.source == "oci":
        return OciDriver(settings)
    return CloudDriver(settings, never_shared)


def finder_of(settings: Settings) -> Source:
    """Return the source that lists the small tables alone."""
    if settings.source == "oci":
        return OciDriver(settings)
    return CloudSource(settings, with_images=False)


def part_of(settings: Settings, work: Sequence[Any], *, with_images: bool) -> Part:
    """Return the source of one part; `work` are its units.

    Without images, it lists the repositories of a cloud's registries alone.
    """
    if settings.source == "oci":
        return OciPart(settings, work)
    return CloudPart(settings, work, with_images=with_images)
