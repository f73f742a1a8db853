"""What ClickHouse calls the types of the tables."""

from __future__ import annotations

import pyarrow as pa

_PLAIN = {
    pa.string(): "String",
    pa.bool_(): "Bool",
    pa.int8(): "Int8",
    pa.int16(): "Int16",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    # The type JSON takes a dot in a name for a level, and drops nulls: a text keeps both.
    pa.json_(): "String",
}
FIRST_TIME, LAST_TIME = -2_208_988_800_000_000, 10_413_791_999_999_999
"""The years 1900 to 2299 in microseconds since 1970: the times that every version can show."""


def clickhouse_type(type_: pa.DataType) -> str:
    """Return ClickHouse's name of an Arrow type; raises `KeyError` for one it does not have.

    Every value may be null, except a list and a map: ClickHouse has only empty ones.
    """
    if pa.types.is_map(type_):
        # Of a key, ClickHouse has no null, and Arrow neither.
        return f"Map({_PLAIN[type_.key_type]}, {clickhouse_type(type_.item_type)})"
    if pa.types.is_list(type_):
        return f"Array({clickhouse_type(type_.value_type)})"
    if pa.types.is_timestamp(type_) and type_.tz:
        digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[type_.unit]
        return f"Nullable(DateTime64({digits}, 'UTC'))"
    return f"Nullable({_PLAIN[type_]})"
