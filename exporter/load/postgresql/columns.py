"""Arrow columns as COPY takes them: maps as JSON, and no U+0000, which PostgreSQL cannot hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

_NUL = b"\0"
REPLACEMENT = "\ufffd"


class CopyRows:
    """Turns the batches of a table into what COPY takes.

    Attributes:
        schema: The schema of what comes out: that of the table, with JSON in place of maps.
        rows: How many rows came out so far.
        replaced: In how many values of which columns U+0000 became U+FFFD.
        nulls: How many nulls each column had.

    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = pa.schema([pa.field(one.name, _copied_type(one.type)) for one in schema])
        self.rows = 0
        self.replaced: Counter[str] = Counter()
        self.nulls: Counter[str] = Counter()

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield each batch as COPY takes it."""
        for batch in batches:
            columns = []
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                self.nulls[name] += values.null_count
                columns.append(self._copied(name, values))
            self.rows += batch.num_rows
            yield pa.record_batch(columns, schema=self.schema)

    def _copied(self, name: str, values: pa.Array) -> pa.Array:
        if is_json(values.type):
            return self._json(name, values)
        if pa.types.is_list(values.type):
            inner = values.flatten()
            clean = self._clean(name, inner)
            return values if clean is inner else _with_values(values, clean)
        return self._clean(name, values)

    def _clean(self, name: str, values: pa.Array) -> pa.Array:
        """Return texts without U+0000: the same array where there is none."""
        if not pa.types.is_string(values.type) or not _may_have_nul(values):
            return values
        self.replaced[name] += pc.sum(pc.match_substring(values, "\0")).as_py() or 0
        return pc.replace_substring(values, "\0", REPLACEMENT)

    def _json(self, name: str, values: pa.Array) -> pa.Array:
        if values.null_count == len(values):
            return pa.nulls(len(values), pa.json_())
        is_map = pa.types.is_map(values.type)
        texts: list[str | None] = []
        for value in values.to_pylist():
            content = dict(value) if is_map and value is not None else value
            text = orjson.dumps(content, default=str)
            # A backslash before u0000 is in the text of a value, too.
            if b"\\u0000" in text and (clean := _without_nul(content)) != content:
                self.replaced[name] += 1
                text = orjson.dumps(clean, default=str)
            texts.append(None if value is None else text.decode())
        return pa.array(texts, pa.string()).cast(pa.json_())


def is_json(type_: pa.DataType) -> bool:
    """Say whether a column of this Arrow type becomes `jsonb`."""
    nested = pa.types.is_list(type_) and pa.types.is_nested(type_.value_type)
    return bool(nested or pa.types.is_map(type_) or pa.types.is_struct(type_))


def _copied_type(type_: pa.DataType) -> pa.DataType:
    return pa.json_() if is_json(type_) else type_


def _may_have_nul(values: pa.Array) -> bool:
    """Say whether the bytes of texts contain a zero; a null may have bytes of its own."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return False
    bounds = memoryview(offsets).cast("i")
    start, end = bounds[values.offset], bounds[values.offset + len(values)]
    texts: bytes = data.slice(start, end - start).to_pybytes()
    return _NUL in texts


def _with_values(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Return lists of the same lengths with other values."""
    offsets = pc.cumulative_sum(pc.fill_null(pc.list_value_length(lists), 0))
    starts = pa.concat_arrays([pa.array([0], offsets.type), offsets])
    return pa.ListArray.from_arrays(starts, values, type=lists.type, mask=pc.is_null(lists))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", REPLACEMENT)
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nul(inner) for inner in value]
    return value
