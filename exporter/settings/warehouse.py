"""The settings of a load: the warehouse, the tables, and whether an export loads by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, Secret, SecretStr, model_validator

from exporter.settings.section import Section

FORMS: Mapping[str, str] = {
    "postgresql": "postgresql://user@host/database",
    "duckdb": "duckdb:PATH",
    "clickhouse": "clickhouse://user@host:port/database",
    "iceberg": "iceberg:CATALOG/NAMESPACE",
    "delta": "delta:PATH or delta:s3://bucket/prefix",
}
"""What the name of a warehouse looks like, by its kind: the part before the first colon."""

_SERVERS = ("postgresql", "clickhouse")
_AUTHORITY = re.compile(r"://(?P<before>[^?#]*)")
_NO_BUCKET = re.compile(r"s3:(?!//[^/])")
_PORT = re.compile(r"(?P<address>\[[\da-fA-F:.]*\])|:(?!\d{0,5}(?:[/,]|$))[^/,]*")


class WarehouseUrl(Secret[str]):
    """The name of a warehouse, which may hold a password; as a text, it is without one."""

    @property
    def kind(self) -> str:
        """The kind of warehouse, a key of `FORMS`."""
        return self.get_secret_value().partition(":")[0]

    @property
    def place(self) -> str:
        """What follows the kind and its colon; it may hold a password."""
        return self.get_secret_value().partition(":")[2]

    def _display(self) -> str:
        return without_password(self.get_secret_value())


def without_password(url: str) -> str:
    """Return a URL without its password, its parameters, and what may be a part of either.

    The URL may be malformed: a password with a slash or an @ in it is not shown in part either.
    """
    found = _AUTHORITY.search(url)
    if found is None:
        return url
    user, at, host = found["before"].rpartition("@")
    if not at and "@" in url:
        # The password has a ? or a #, so where it ends is not known.
        return f"{url[: found.start()]}://"
    # What looks like a port and is no number may be a password without a host behind it.
    host = _PORT.sub(lambda port: port["address"] or "", host)
    return f"{url[: found.start()]}://{user.partition(':')[0]}{at}{host}"


def _check_url(url: WarehouseUrl) -> WarehouseUrl:
    """Refuse what names no warehouse; a refused value is not quoted, for it may hold a password."""
    kind, place = url.kind, url.place
    form = FORMS.get(kind)
    if form is None:
        raise ValueError(f"names no warehouse; write one of {', '.join(FORMS.values())}")
    if kind in _SERVERS and not place.startswith("//"):
        raise ValueError(f"{kind}: is the beginning of a URL; write {form}")
    if not place.strip("/ ") or "\0" in place:
        raise ValueError(f"names no place; write {form}")
    if kind == "delta" and _NO_BUCKET.match(place):
        raise ValueError(f"names no bucket; write {form}")
    if kind == "duckdb" and (place.startswith("//") or place == ":memory:"):
        raise ValueError("the path of a file is needed, such as duckdb:/data/warehouse.duckdb")
    return url


def _read_options(value: object) -> object:
    """Read JSON from an environment variable, and take numbers and true and false as texts."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError('keys with values are needed, as JSON {"key": "value"}') from None
    if not isinstance(value, Mapping):
        raise ValueError("keys with values are needed")  # noqa: TRY004 - pydantic's way
    return {str(name): _text(inner) for name, inner in value.items()}


def _text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _check_name(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("a name is needed, such as registry_inventory")
    return name


class Load(Section):
    """Bring published snapshots into a warehouse."""

    to: Annotated[WarehouseUrl, AfterValidator(_check_url)] | None = None
    """The warehouse: postgresql://user@host/database, duckdb:PATH,
    clickhouse://user@host:port/database, iceberg:CATALOG/NAMESPACE, delta:PATH or
    delta:s3://bucket/prefix. A password belongs into ${NAME} or ${file:PATH}."""
    warehouse_schema: Annotated[str, AfterValidator(_check_name)] = Field(
        default="registry_inventory", alias="schema"
    )
    """The schema of the tables, in the warehouse."""
    tables: list[str] = Field(default=[])
    """Only these tables; empty for all."""
    partial: bool = False
    """Whether partial snapshots are loaded too; they are never the latest."""
    after_export: bool = False
    """Whether an export that ends complete loads what the warehouse does not have yet."""
    iceberg: Annotated[dict[str, SecretStr], BeforeValidator(_read_options)] = Field(default={})
    """What to reach the catalog of iceberg:CATALOG/NAMESPACE with, in pyiceberg's own words (type,
    uri, warehouse, credential, s3.endpoint); empty for pyiceberg's own configuration."""

    @model_validator(mode="after")
    def _has_warehouse(self) -> Load:
        if self.after_export and self.to is None:
            raise ValueError("after_export needs a warehouse; name one in load.to")
        return self

    def options(self) -> dict[str, Any]:
        """Return the options of the Iceberg catalog as they are, with their secrets."""
        return {name: value.get_secret_value() for name, value in self.iceberg.items()}
