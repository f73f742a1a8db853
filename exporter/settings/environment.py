"""Settings in the environment: `REGISTRY_EXPORTER__LIMITS__CONCURRENCY=8`.

A list is JSON, or its values with commas between them; a whole section is JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel

from exporter.errors import SettingsError
from exporter.settings.keys import Key, holds_a_list, known_keys, section_of, unknown

PREFIX = "REGISTRY_EXPORTER__"
_SLIP = "REGISTRY_EXPORTER_"


@dataclass(frozen=True)
class Environment:
    """The settings in the environment, nested as in a file, and the variable of each value."""

    values: dict[str, Any]
    origins: dict[Key, str]


def read_environment(model: type[BaseModel]) -> Environment:
    """Read the settings in the environment; a variable of one key wins over its section's.

    Raises `SettingsError` for a variable that is no setting, that cannot be read, or that would be
    a setting with another underscore. Its value, which may be a secret, is not shown.
    """
    known = {name: type_ for name, type_ in known_keys(model).items() if not _in_list(name, model)}
    _refuse_slips(known)
    found = Environment({}, {})
    # Sections come before their keys, because a section's name is shorter.
    for variable in sorted(name for name in os.environ if name.upper().startswith(PREFIX)):
        name = variable[len(PREFIX) :].lower().replace("__", ".")
        if name not in known:
            raise SettingsError(f"{_place(variable)}: {name}: {unknown(name, model)}")
        key = tuple(name.split("."))
        value = _value(os.environ[variable], known[name], f"{_place(variable)}: {name}")
        merge_into(found.values, _nested(key, value))
        found.origins.update(dict.fromkeys(leaves(value, key), _place(variable)))
    return found


def _refuse_slips(known: Mapping[str, Any]) -> None:
    """Refuse `REGISTRY_EXPORTER_OUTPUT_URL`, which would otherwise be ignored silently."""
    meant = {name.replace(".", "_"): name for name in known}
    last = [name.rpartition(".")[2] for name in known]
    # The key's own name is enough if it is unique.
    meant |= {key: name for key, name in zip(last, known, strict=True) if last.count(key) == 1}
    for variable in sorted(os.environ):
        upper = variable.upper()
        if not upper.startswith(_SLIP) or upper.startswith(PREFIX):
            continue
        name = meant.get(upper.removeprefix(_SLIP).lower().replace("__", "_"))
        if name is not None:
            # A section's value is JSON; with any other value, one of its keys was meant.
            name = f"{name}.url" if f"{name}.url" in known else name
            right = PREFIX + name.upper().replace(".", "__")
            raise SettingsError(
                f"{_place(variable)}: two underscores are needed before each part of a setting's "
                f"name: write {right}."
            )


def leaves(value: Any, key: Key = ()) -> list[Key]:
    """Return the keys of all values in nested mappings."""
    if not isinstance(value, Mapping):
        return [key]
    return [leaf for name, inner in value.items() for leaf in leaves(inner, (*key, name))]


def merge_into(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Override nested values by others, mapping by mapping."""
    for key, value in above.items():
        under = below.get(key)
        if isinstance(value, Mapping) and isinstance(under, dict):
            merge_into(under, value)
        else:
            below[key] = value


def _place(variable: str) -> str:
    return f"{variable} in the environment"


def _in_list(name: str, model: type[BaseModel]) -> bool:
    """Return whether a key is one of a section of which a list has several."""
    above = name.rpartition(".")[0]
    return bool(above) and holds_a_list(known_keys(model).get(above))


def _value(text: str, annotation: Any, place: str) -> Any:
    if section_of(annotation) is not None and holds_a_list(annotation):
        return _json(text, f'{place}: a list is needed as JSON, such as [{{"key": "value"}}].')
    if section_of(annotation) is not None:
        return _json(text, f'{place}: a section is needed as JSON, such as {{"key": "value"}}.')
    if not holds_a_list(annotation):
        return text
    if text.lstrip().startswith("["):
        return _json(text, f"{place}: it begins as a JSON list, and is none.")
    return [part.strip() for part in text.split(",") if part.strip()]


def _json(text: str, refusal: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SettingsError(refusal) from None


def _nested(key: Key, value: Any) -> Any:
    return {key[0]: _nested(key[1:], value)} if key else value
