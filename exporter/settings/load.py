"""Where settings are read from: a YAML file, then the environment over it, then flags over both.

Errors name the key and where its value came from: the flag, the variable, or the line in the
file; and for an unknown key the nearest known one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exporter.errors import SettingsError
from exporter.settings.document import Document, read_document
from exporter.settings.environment import leaves, merge_into, read_environment
from exporter.settings.keys import Key, dotted, unknown
from exporter.settings.model import Settings
from exporter.settings.words import reason

FLAGS: Mapping[Key, str] = {
    ("limits", "concurrency"): "--concurrency",
    ("output", "formats"): "--format",
    ("output", "url"): "--output",
    ("scope", "clouds"): "--cloud",
    ("scope", "folders"): "--folder",
    ("scope", "registries"): "--registry",
}
"""What the command line calls the settings that it has flags for."""


def load_settings(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read, fill in and check the settings.

    `flags` is shaped like the file (nested mappings) and wins over the environment, which
    wins over `file`. Raises `SettingsError` with one line for each thing that is wrong.
    """
    document = read_document(file, Settings) if file else None
    merged = document.values if document else {}
    environment = read_environment(Settings)
    merge_into(merged, environment.values)
    merge_into(merged, flags or {})
    named = {key: FLAGS[key] for key in leaves(flags or {}) if key in FLAGS}
    origins = environment.origins | named
    try:
        return Settings(**merged)
    except ValidationError as error:
        problems = [_sentence(problem, document, origins) for problem in error.errors()]
        raise SettingsError("\n".join(problems)) from None


def _sentence(problem: Any, document: Document | None, origins: Mapping[Key, str]) -> str:
    key: Key = problem["loc"]
    name = dotted(key)
    place = ": ".join([*_places(key, document, origins), name])
    if problem["type"] == "extra_forbidden":
        return f"{place}: {unknown(name, Settings)}"
    return f"{place}: {reason(problem)}."


def _places(key: Key, document: Document | None, origins: Mapping[Key, str]) -> list[str]:
    """Return where a value came from, as one place; none for a value that a caller gave."""
    for end in range(len(key), 0, -1):
        if key[:end] in origins:
            return [origins[key[:end]]]
    # A section, then, and its values may have come from several places.
    places = [document.place(key)] if document and key[:1] in document.lines else []
    places += [place for inner, place in origins.items() if inner[: len(key)] == key]
    return [" and ".join(dict.fromkeys(places))] if places else []
