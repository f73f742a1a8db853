"""The words in which a manifest says what a snapshot is of: those of its `source` and `scope`."""

from __future__ import annotations

from collections.abc import Mapping

SERVICES = ("container_registry", "resource_manager")
"""The services among `source.endpoints` that list something. Others, such as the one that hands out
tokens, do not say what a snapshot is of."""

NOUNS: Mapping[str, tuple[str, str]] = {
    "clouds": ("cloud", "clouds"),
    "folders": ("folder", "folders"),
    "registries": ("registry", "registries"),
}
"""The ids that `scope` may name, by key: one of them in a word, and several."""
