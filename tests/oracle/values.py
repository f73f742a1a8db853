"""API values as the contract wants them: cut times, sizes as ints, defaults for absent fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Resource = Mapping[str, Any]
"""A cloud, folder, registry, repository, image or blob as the API's JSON shows it."""
Row = dict[str, Any]
"""One row of a table: plain values by column name, in the columns' order."""
Rows = list[Row]
Tables = dict[str, Rows]
"""The rows of every table by the table's name."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


def cut_time(text: str | None) -> str | None:
    """Return an RFC 3339 time with exactly six fractional digits, the rest cut off."""
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"not a time as the API writes it: {text!r}")
    return f"{found[1]}.{(found[2] or '').ljust(6, '0')[:6]}Z"


def whole(resource: Resource, field: str) -> int:
    """Return an int64 field, which the API writes as a text; 0 where it was not sent."""
    return int(resource.get(field) or 0)


def texts(resource: Resource, field: str) -> list[str]:
    """Return a repeated text field; empty where it was not sent."""
    return list(resource.get(field) or [])


def labels(resource: Resource) -> dict[str, str]:
    """Return a resource's labels; a map that was not sent is an empty one."""
    return dict(resource.get("labels") or {})


def registry_of(repository_name: str) -> str | None:
    """Return the registry a repository is in: its full name up to the first slash, if any."""
    return (repository_name.partition("/")[0] or None) if "/" in repository_name else None
