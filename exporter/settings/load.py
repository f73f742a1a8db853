"""Where settings are read from: a YAML file, then the environment over it, then flags over both.

Errors name the key and where its value came from: the flag, the variable, or the line in the
file; and for an unknown key the nearest known one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.settings.environment import leaves, merge_into, read_environment
from exporter.settings.keys import Key
from exporter.settings.refusal import raw_refusals, refusal

if TYPE_CHECKING:
    from exporter.settings.document import Document

FLAGS: Mapping[Key, str] = {
    ("limits", "concurrency"): "--concurrency",
    ("load", "partial"): "--partial",
    ("load", "schema"): "--schema",
    ("load", "tables"): "--table",
    ("load", "to"): "--to",
    ("output", "formats"): "--format",
    ("output", "url"): "--output",
    ("source",): "--source",
    ("oci", "registries"): "--registry-url",
    ("report", "currency"): "--currency",
    ("report", "price_per_gb_month"): "--price",
    ("scope", "clouds"): "--cloud",
    ("scope", "folders"): "--folder",
    ("scope", "registries"): "--registry",
}
"""The flags of the command line, by the setting."""

SettingsT = TypeVar("SettingsT", bound=BaseModel)


def load(
    model: type[SettingsT],
    file: Path | None,
    flags: Mapping[str, Any],
    *,
    only: Collection[str] | None = None,
) -> SettingsT:
    """Read, fill in and check the settings of `model`.

    `flags` is shaped like the file (nested mappings) and wins over the environment, which
    wins over `file`. With `only`, all other sections and keys have their defaults, and are not read
    at all, so a command that needs no credentials works without them. Raises `SettingsError` with
    one line for each error.
    """
    left_out = set() if only is None else set(model.model_fields) - set(only)
    document = None
    if file:
        # Not every command has a file, and a parser of YAML takes long to import.
        from exporter.settings.document import read_document  # noqa: PLC0415

        document = read_document(file, model, left_out)
    merged = document.values if document else {}
    environment = read_environment(model)
    merge_into(merged, environment.values)
    merge_into(merged, flags)
    # All defaults are given, because the model would otherwise read the environment itself.
    merged |= {name: model.model_fields[name].get_default() for name in left_out}
    named = {key: FLAGS[key] for key in leaves(flags) if key in FLAGS}
    origins = environment.origins | named
    with raw_refusals():
        try:
            return model(**merged)
        except ValidationError as error:
            place = partial(_place, document=document, origins=origins)
            raise refusal(error, model, place) from None


def _place(key: Key, *, document: Document | None, origins: Mapping[Key, str]) -> str | None:
    """Return the origin of a value, as one place; None for a value from the caller."""
    if not key:
        return None  # It is about several settings, which the message names.
    for end in range(len(key), 0, -1):
        if key[:end] in origins:
            return origins[key[:end]]
    # It is a section, and its values may come from several places.
    places = [document.place(key)] if document and key[:1] in document.lines else []
    places += [place for inner, place in origins.items() if inner[: len(key)] == key]
    return " and ".join(dict.fromkeys(places)) or None
