"""Where the snapshots are, as each engine writes such a place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from exporter.ddl.dialects import Dialect
from exporter.errors import SettingsError

_BUCKETS = {"s3": "s3", "s3a": "s3", "gs": "gs", "abfss": "azure"}
_AZURE = re.compile(r"(?P<container>[^@/]+)@(?P<account>[a-z0-9]+)\.dfs\.core\.windows\.net")
_SHOWN = {
    "s3": "s3://bucket/prefix",
    "gs": "gs://bucket/prefix",
    "azure": "abfss://container@account.dfs.core.windows.net/prefix",
    "local": "a folder",
}

PLACES: Mapping[Dialect, tuple[str, ...]] = MappingProxyType(
    {
        Dialect.ATHENA: ("s3",),
        Dialect.BIGQUERY: ("gs", "s3"),
        Dialect.CLICKHOUSE: ("s3", "gs", "local"),
        Dialect.DATABRICKS: ("s3", "gs", "azure"),
        Dialect.DUCKDB: ("s3", "gs", "azure", "local"),
        Dialect.POSTGRESQL: ("s3", "gs", "local"),
        Dialect.REDSHIFT: ("s3",),
        Dialect.SNOWFLAKE: ("s3", "gs", "azure"),
        Dialect.SPARK: ("s3", "gs", "azure", "local"),
        Dialect.TRINO: ("s3", "gs", "azure", "local"),
    }
)
"""The kinds of place that each engine reads by itself."""


@dataclass(frozen=True)
class Location:
    """A destination of snapshots: a bucket with a prefix, or a folder of this machine.

    `kind` is `s3`, `gs`, `azure` or `local`; `bucket` is empty for a folder, `path` has no slash
    at its end, and begins with one only for a folder.
    """

    kind: str
    bucket: str
    path: str

    def url(self, *, s3: str = "s3") -> str:
        """Return the place as a URL without a slash at its end; a folder as `file:///…`.

        `s3` is the scheme that the engine has for S3.
        """
        schemes = {"s3": s3, "gs": "gs", "azure": "abfss"}
        if self.kind == "local":
            return f"file://{self.path}"
        return f"{schemes[self.kind]}://{self.bucket}" + (f"/{self.path}" if self.path else "")

    def azure(self) -> str:
        """Return an Azure place as `account/container[/path]`."""
        found = _AZURE.fullmatch(self.bucket)
        assert found is not None, self.bucket  # noqa: S101 - `locate` refuses any other
        where = f"{found['account']}.blob.core.windows.net/{found['container']}"
        return where + (f"/{self.path}" if self.path else "")


def locate(text: str, dialect: Dialect) -> Location:
    """Return the place that `--from` names; raises `SettingsError` if the engine has no such."""
    place = _parse(text)
    if found := re.search(r"[*?\[\]{}$\\]", place.path):
        raise SettingsError(
            f"--from {text}: some engines read {found[0]} in a path as more than a letter; name a "
            "place without it."
        )
    if place.kind not in PLACES[dialect]:
        known = [_SHOWN[kind] for kind in PLACES[dialect]]
        raise SettingsError(
            f"--from {text}: {dialect} cannot read this place by itself; copy the snapshots to "
            f"{' or '.join(known)}, and name that."
        )
    return place


def _parse(text: str) -> Location:
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text) or not text:
        raise SettingsError(
            f"--from {text!r} is no place: name a path, s3://, gs:// or abfss://, without control "
            "characters."
        )
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Location("local", "", str(Path(text).expanduser().absolute()))
    if scheme == "file":
        return Location("local", "", unquote(urlsplit(text).path).rstrip("/") or "/")
    bucket, _, path = rest.partition("/")
    kind = _BUCKETS.get(scheme)
    # What has an @ or a colon in it may be a part of a key, so it is not quoted.
    has_key = ("@" in bucket or ":" in bucket) and kind != "azure"
    if kind is not None and (
        has_key or (kind == "azure" and bucket and not _AZURE.fullmatch(bucket))
    ):
        raise SettingsError(
            f"--from {scheme}://… names no bucket: write {_SHOWN[kind]}; keys belong in the "
            "engine's own settings."
        )
    if kind is None or not bucket or "?" in rest or "#" in rest:
        raise SettingsError(
            f"--from {f'{scheme}://…' if has_key else text} is no place of snapshots: name a path, "
            f"{_SHOWN['s3']}, {_SHOWN['gs']} or {_SHOWN['azure']}."
        )
    return Location(kind, bucket, path.strip("/"))
