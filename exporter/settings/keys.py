"""The keys of the settings: their names and types, and the nearest key to a mistyped one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

Key = tuple[str | int, ...]
"""The path of a value, from the outside inwards: `("scope", "folders", 0)`."""


def dotted(key: Key) -> str:
    """Return a key as a person writes it: `scope.folders[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)[1:]


@cache
def known_keys(model: type[BaseModel], before: str = "") -> Mapping[str, Any]:
    """Return every dotted key of a model, its sections and their keys, with its annotation."""
    keys: dict[str, Any] = {}
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        keys[before + name] = field.annotation
        section = section_of(field.annotation)
        if section is not None:
            keys.update(known_keys(section, f"{before}{name}."))
    return keys


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section of a key, None if the key is no section."""
    candidates = [annotation, *get_args(annotation)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def holds_a_list(annotation: Any) -> bool:
    """Return whether a key has a list of values."""
    return get_origin(annotation) is list


def may_be_null(annotation: Any) -> bool:
    """Return whether a key may be null; True for None, which means an unknown key."""
    return annotation is None or type(None) in get_args(annotation)


def unknown(key: str, model: type[BaseModel]) -> str:
    """Return the message about an unknown key, with the nearest known one."""
    key = re.sub(r"\[\d+\]", "", key)
    known = list(known_keys(model))
    last = {name: name.rpartition(".")[2] for name in known}
    siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]]
    near = difflib.get_close_matches(key, siblings, n=1, cutoff=0.5)
    if not near:
        # The right name in the wrong section is the commonest slip.
        near = [name for name in known if last[name] == key.rpartition(".")[2]][:1]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    advice = f"did you mean {near[0]}?" if near else "`config schema` lists the keys there are."
    return f"there is no such setting; {advice}"
