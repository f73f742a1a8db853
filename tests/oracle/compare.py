"""Two lists of rows, and the first rows in which they differ, in words a person can act on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.oracle.values import Row, Rows

_SHOWN = 5


def differences(expected: Iterable[Row], actual: Iterable[Row], key: Sequence[str]) -> str:
    """Return what differs between two tables, whatever their order; empty where nothing does.

    Rows are matched by `key`. A key that stands twice on one side is a difference too.
    """
    wanted, doubled_wanted = _by_key(expected, key)
    found, doubled_found = _by_key(actual, key)
    lines = [f"expected twice: {_show(each)}" for each in doubled_wanted]
    lines += [f"found twice: {_show(each)}" for each in doubled_found]
    lines += [f"missing: {_show(each)}" for each in wanted if each not in found]
    lines += [f"not expected: {_show(each)}" for each in found if each not in wanted]
    for each, row in wanted.items():
        if each in found and found[each] != row:
            lines.append(f"differs: {_show(each)}: {_columns(row, found[each])}")
    if not lines:
        return ""
    sizes = f"{len(wanted)} rows expected, {len(found)} found"
    more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n  ".join([sizes, *lines[:_SHOWN], *more])


def _by_key(rows: Iterable[Row], key: Sequence[str]) -> tuple[dict[str, Row], list[str]]:
    """Return the rows by their key as text, and the keys that stand more than once."""
    keyed = [(repr(tuple(row[column] for column in key)), row) for row in rows]
    counts = Counter(each for each, _ in keyed)
    return dict(keyed), [each for each, count in counts.items() if count > 1]


def _columns(expected: Row, actual: Row) -> str:
    names = [*expected, *(name for name in actual if name not in expected)]
    return "; ".join(
        f"{name}: expected {_show(_value(expected, name))}, found {_show(_value(actual, name))}"
        for name in names
        if _value(expected, name) != _value(actual, name)
    )


class _Absent:
    def __repr__(self) -> str:
        return "no such column"


_ABSENT = _Absent()


def _value(row: Row, name: str) -> Any:
    return row.get(name, _ABSENT)


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"


def without(rows: Iterable[Row], *columns: str) -> Rows:
    """Return the rows without some columns."""
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]
