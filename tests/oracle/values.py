"""API values as the contract wants them: cut times, sizes as ints, defaults for absent fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Resource = Mapping[str, Any]
"""A cloud, folder, registry, repository, image or blob as the API's JSON shows it."""
Row = dict[str, Any]
"""One row of a table: plain values by column name, in the columns' order."""
Rows = list[Row]
Tables = dict[str, Rows]
"""The rows of every table by the table's name."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d:\d\d:\d\d|2[0-3]:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


def cut_time(text: str | None) -> str | None:
    """Return an RFC 3339 time with exactly six fractional digits, the rest cut off."""
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"not a time as the API writes it: {text!r}")
    return f"{found[1]}.{(found[2] or '').ljust(6, '0')[:6]}Z"


def api_time(resource: Resource) -> str | None:
    """Return when a resource was created, in UTC; None for a time that is not RFC 3339."""
    text = resource.get("createdAt")
    found = _RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    try:
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[4].upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return cut_time(f"{at.replace(tzinfo=None).isoformat()}{found[3] or ''}Z")


def whole(resource: Resource, field: str) -> int:
    """Return an int64 field, written as a text; 0 where it was not sent, or is none."""
    value = resource.get(field)
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        return 0
    number = Decimal(str(value))
    return int(number) if number % 1 == 0 and -(1 << 63) <= number < 1 << 63 else 0


def is_bad(resource: Resource) -> bool:
    """Say whether a resource, or a blob of it, has a time or a size that cannot be read."""
    blobs = [*(resource.get("layers") or []), resource.get("config")]
    if any(is_bad(blob) for blob in blobs if blob):
        return True
    if resource.get("createdAt") is not None and api_time(resource) is None:
        return True
    sizes = [(field, resource.get(field)) for field in ("size", "compressedSize")]
    return any(
        value not in (None, 0, "0") and whole(resource, field) == 0 for field, value in sizes
    )


def enum(resource: Resource, field: str) -> str | None:
    """Return an enum's name, or as text the number of one that has no name."""
    value = resource.get(field)
    return None if value is None else str(value)


def texts(resource: Resource, field: str) -> list[str]:
    """Return a repeated text field; empty where it was not sent."""
    return list(resource.get(field) or [])


def labels(resource: Resource) -> dict[str, str]:
    """Return a resource's labels; a map that was not sent is an empty one."""
    return dict(resource.get("labels") or {})


def registry_of(repository_name: str) -> str | None:
    """Return the registry a repository is in: its full name up to the first slash, if any."""
    return (repository_name.partition("/")[0] or None) if "/" in repository_name else None
