"""The manifest: the one file that makes a snapshot exist and says what belongs to it.

Its keys are a contract (`tables/README.md`, On disk). A reader accepts newer minor versions,
whose unknown keys it ignores, and refuses newer major ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import orjson
import pyarrow as pa
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from exporter.errors import IntegrityError
from exporter.staging.layout import Format
from exporter.tables.schemas import FORMAT_VERSION, TABLES

Plain = str | int | float | bool | None
"""A JSON value that is neither a list nor an object."""
Status = Literal["complete", "partial"]

_SUPPORTED_MAJOR = int(FORMAT_VERSION.split(".", maxsplit=1)[0])
# A manifest decides which files a prune removes, so a path that leads elsewhere is refused.
_FILE_PATH = re.compile(
    r"(?P<format>parquet|ndjson)/(?P<table>[a-z_]+)/snapshot_id=(?P<id>[A-Za-z0-9._-]+)/"
    r"[A-Za-z0-9_][A-Za-z0-9._-]*"
)


def rfc3339(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC, `2026-11-23T02:00:00Z`, with microseconds if it has any."""
    return time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


Time = Annotated[AwareDatetime, PlainSerializer(rfc3339, when_used="json")]
Count = Annotated[int, Field(ge=0)]
SnapshotId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class File(_Part):
    """A file of a table: `path` below the destination, its `bytes` and its `rows`."""

    path: str
    format: Format
    rows: Count
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Column(_Part):
    """A column, its type in Arrow's words."""

    name: str
    type: str
    description: str


class TableEntry(_Part):
    """A table's rows, counted once whatever the formats, its columns and its files."""

    rows: Count
    columns: list[Column] = Field(alias="schema")
    files: list[File]


class Requests(_Part):
    """The run's requests to the API: calls, repeated ones, throttled ones, bytes received."""

    calls: Count
    retries: Count
    throttled: Count
    bytes: Count


class Manifest(_Part):
    """A snapshot's manifest; `tables` is empty until publishing fills it in.

    `publication` counts the publications at a destination: the last one has the highest number,
    whatever the clocks say. It is 0 in manifests of versions that did not count.
    """

    format_version: str = FORMAT_VERSION
    generator: str
    snapshot_id: SnapshotId
    status: Status
    started_at: Time
    finished_at: Time
    source: dict[str, Any]
    scope: dict[str, Any]
    tables: dict[str, TableEntry] = {}
    totals: dict[str, Plain]
    coverage: dict[str, Count]
    requests: Requests
    publication: Count = 0

    @model_validator(mode="after")
    def _files_belong(self) -> Self:
        seen = set()
        for name, table in self.tables.items():
            rows: dict[str, int] = {}
            for file in table.files:
                found = _FILE_PATH.fullmatch(file.path)
                where = (file.format, name, self.snapshot_id)
                if not found or found.group("format", "table", "id") != where:
                    raise ValueError(f"{file.path!r} is not where a file of {name} belongs")
                if file.path in seen:
                    raise ValueError(f"{file.path!r} is named twice")
                seen.add(file.path)
                rows[file.format] = rows.get(file.format, 0) + file.rows
            if any(count != table.rows for count in rows.values()):
                raise ValueError(f"the files of {name} do not add up to its {table.rows} rows")
        return self

    @property
    def files(self) -> list[File]:
        """Every file of the snapshot, table by table."""
        return [file for table in self.tables.values() for file in table.files]

    @property
    def is_sound(self) -> bool:
        """Whether the snapshot may be the latest: complete, and no scope vanished during the run.

        Resources that the user excluded do not count. What vanishes from an OCI registry is a tag:
        everything else is there, and in a busy registry some tag goes in every run.
        """
        allowed = {"complete", "skipped"}
        if self.source.get("kind") == "oci":
            allowed.add("vanished")
        listed = {status for status, count in self.coverage.items() if count}
        return self.status == "complete" and listed <= allowed

    @property
    def order(self) -> tuple[int, float, str]:
        """The sort key by publication, the newest last."""
        return (self.publication, self.finished_at.timestamp(), self.snapshot_id)

    def to_bytes(self) -> bytes:
        """Return the manifest as indented JSON; equal manifests give equal text."""
        # Tables stay in the order of display; objects without an order of their own are sorted.
        content = self.model_dump(mode="json", by_alias=True)
        for name in ("source", "scope", "coverage"):
            content[name] = dict(sorted(content[name].items()))
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def parse(cls, data: bytes, name: str = "the manifest") -> Manifest:
        """Read a manifest; raises `IntegrityError`, which names `name`, for a broken one."""
        try:
            content = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise IntegrityError(f"{name} is not JSON: {error}.") from None
        if not isinstance(content, dict):
            raise IntegrityError(f"{name} is not a JSON object.")
        _check_version(content.get("format_version"), name)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise IntegrityError(
                f"{name} is broken: {f'{where}: ' if where else ''}{first['msg']}."
            ) from None


def _check_version(version: object, name: str) -> None:
    found = re.fullmatch(r"(\d{1,9})\.\d{1,9}", version) if isinstance(version, str) else None
    if not found:
        raise IntegrityError(f"{name} has no format_version such as {FORMAT_VERSION}.")
    if int(found[1]) > _SUPPORTED_MAJOR:
        raise IntegrityError(
            f"{name} has format version {version}, and this program reads up to "
            f"{_SUPPORTED_MAJOR}.x: use a newer registry-exporter."
        )


def columns_of(schema: pa.Schema) -> list[Column]:
    """Return an Arrow schema as the manifest states it, descriptions from the field metadata."""
    return [
        Column(
            name=field.name,
            type=type_name(field.type),
            description=(field.metadata or {}).get(b"description", b"").decode(),
        )
        for field in schema
    ]


def type_name(type_: pa.DataType) -> str:
    """Return a type in `tables/README.md`'s words: `int64`, `list<string>`, `timestamp[us, UTC]`.

    Arrow's own text of a nested type contains the names of its inner fields, which Parquet readers
    change.
    """
    if pa.types.is_map(type_):
        return f"map<{type_name(type_.key_type)},{type_name(type_.item_type)}>"
    if pa.types.is_list(type_):
        return f"list<{type_name(type_.value_type)}>"
    if pa.types.is_timestamp(type_) and type_.tz:
        return f"timestamp[{type_.unit}, {type_.tz}]"
    return str(type_)


def table_entry(name: str, files: list[File]) -> TableEntry:
    """Return a table's entry; its rows are counted in the format of its first file."""
    first = files[0].format
    rows = sum(file.rows for file in files if file.format == first)
    return TableEntry(rows=rows, schema=columns_of(TABLES[name].schema), files=files)


def plain_row(row: Mapping[str, Plain | datetime]) -> dict[str, Plain]:
    """Return a row as the manifest holds it: the `total` row of `size_totals`, times as text."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def sidecar(snapshot_id: str, *digests: str) -> bytes:
    """Return the text of `<id>.json.sha256`, which `sha256sum --check` reads."""
    return "".join(f"{digest}  {snapshot_id}.json\n" for digest in digests).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return hashlib.sha256(data).hexdigest()
