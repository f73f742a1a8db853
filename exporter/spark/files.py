"""Files that a task needs: where the driver has them, or as Spark has shipped them.

Secrets travel only as such files, or are found on the task's own machine: in its environment, or by
its metadata service.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pyspark import SparkFiles

from exporter.errors import SettingsError
from exporter.settings import Settings, load_settings
from exporter.spark.partitions import SettingsReference


def settings_of(reference: SettingsReference) -> Settings:
    """Return the settings that a reference names; raises `SettingsError`."""
    file = None if reference.file is None else found(reference.file)
    settings = with_shipped(load_settings(file, reference.flags))
    if not reference.endpoints:
        return settings
    endpoints = settings.endpoints.model_copy(update=dict(reference.endpoints))
    return settings.model_copy(update={"endpoints": endpoints})


def found(file: str) -> Path:
    """Return where a file is here: at its path, or where Spark has put what it ships."""
    path = Path(file).expanduser()
    if path.exists():
        return path
    shipped = Path(SparkFiles.get(path.name))
    if shipped.exists():
        return shipped
    raise SettingsError(
        f"There is no file {file} on this machine, and Spark has not shipped it: put it there on "
        "every machine, or give it to Spark with --files."
    )


def with_shipped(settings: Settings) -> Settings:
    """Return the settings with the paths of shipped files, where a file is not at its own path."""
    changed = _changed(settings)
    return settings.model_copy(update=changed) if changed else settings


def _changed(section: BaseModel) -> Mapping[str, Any]:
    """Return the values of a section that change: paths to files, and sections with any."""
    changed: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name.endswith("_file") and isinstance(value, Path) and not value.exists():
            shipped = Path(SparkFiles.get(value.name))
            if shipped.exists():
                changed[name] = shipped
        elif isinstance(value, BaseModel):
            if inner := _changed(value):
                changed[name] = value.model_copy(update=inner)
        elif isinstance(value, list) and any(isinstance(one, BaseModel) for one in value):
            changed[name] = [one.model_copy(update=_changed(one)) for one in value]
    return changed
