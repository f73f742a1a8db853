"""Statements on a ClickHouse server, and the sentences about those that fail."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from exporter.errors import LoadError
from exporter.load.clickhouse.address import Address
from exporter.load.clickhouse.failures import code_of, sentence
from exporter.wording import option

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OLDEST = (24, 8)
"""The oldest version that is loaded into; those before it have had no mends for long."""
_SETTINGS = {
    # A snapshot that is loaded again has the same blocks, which must not be left out as known.
    "insert_deduplicate": 0,
    # The rows must be there when the statement ends, because they are counted then.
    "async_insert": 0,
    # A null list or map becomes an empty one: ClickHouse has no other.
    "input_format_null_as_default": 1,
}
_NOT_THERE = {60, 81}
_EARLIEST = (-62_135_596_800_000_000, "0001-01-01 00:00:00.000000")


def name(text: str) -> str:
    """Return an identifier as ClickHouse quotes it."""
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """Return a text as ClickHouse quotes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Connection:
    """A client of one server; `shown` names the server in messages, without a password."""

    def __init__(self, address: Address, shown: str) -> None:
        self.shown = shown
        try:
            with self.errors("opened"):
                self._client = _open(address)
        except LoadError as error:
            # The library asks for what a server that is too old does not have.
            if code_of(error.__cause__) is not None:
                self._check_version(_asked_version(address))
            raise
        self._settings: dict[str, Any] = {}
        try:
            self._check_version(self._client.server_version)
            # A user's profile may forbid to change some of them.
            self._settings = {
                key: value
                for key, value in _SETTINGS.items()
                if (known := self._client.server_settings.get(key)) and not known.readonly
            }
            moment, text = _EARLIEST
            with self.errors("read"):
                shown_as = self._client.command(
                    f"SELECT toString(fromUnixTimestamp64Micro(toInt64({moment}), 'UTC'))"
                )
            self.has_all_times = shown_as == text
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing; raises `LoadError`."""
        with self.errors("loaded"):
            self._client.command(statement, settings=self._settings)

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """Return the rows of a query; `{x:String}` in it is the parameter x. Raises `LoadError`."""
        with self.errors("read"):
            found = self._client.query(query, parameters=dict(parameters or {}))
        return [list(row) for row in found.result_rows]

    def try_create(self, statement: str) -> bool:
        """Run a CREATE; return False if there is such a table already. Raises `LoadError`."""
        return self._try(statement, {57})

    def try_change(self, statement: str) -> bool:
        """Run a change of a table; return False if there is no such table. Raises `LoadError`."""
        return self._try(statement, _NOT_THERE)

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Insert rows by one statement, a batch at a time; `table` is quoted. Raises `LoadError`.

        An error of `batches` goes through the library, which may hide it.
        """
        with self.errors("loaded"):
            self._client.raw_insert(
                table,
                column_names=schema.names,
                insert_block=_stream(schema, batches),
                settings=self._settings,
                fmt="ArrowStream",
            )

    @contextmanager
    def errors(self, done: str) -> Iterator[None]:
        """Raise the library's errors in the block as a sentence: the server cannot be `done`."""
        from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415

        try:
            yield
        except (ClickHouseError, OSError) as error:
            raise LoadError(sentence(error, self.shown, done)) from error

    def _try(self, statement: str, expected: set[int]) -> bool:
        try:
            self.run(statement)
        except LoadError as error:
            if code_of(error.__cause__) not in expected:
                raise
            return False
        return True

    def _check_version(self, version: str | None) -> None:
        found = tuple(int(one) for one in re.findall(r"\d+", version or "")[:2])
        if found and found < OLDEST:
            raise LoadError(
                f"{self.shown} is ClickHouse {version}, and a load needs "
                f"{'.'.join(map(str, OLDEST))} or newer: upgrade the server, or name another with "
                f"{option('to')}."
            )


def _open(address: Address) -> Client:
    # The library takes a while to import, and only a load into ClickHouse needs it.
    from clickhouse_connect import get_client  # noqa: PLC0415

    # A failure ends in a sentence of ours, which says the same once.
    for library in ("clickhouse_connect", "urllib3"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    return get_client(
        interface="https" if address.secure else "http",
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password,
        database=address.database,
        client_name="registry-exporter",
        # Without a session, two statements may be under way: rows, and the renewal of the lock.
        autogenerate_session_id=False,
        # Rows are compressed in their own format.
        compress=False,
        query_retries=0,
        **address.options,
    )


def _asked_version(address: Address) -> str | None:
    """Return the server's version, asked for without the library; None if it does not say."""
    # They come with the library.
    from clickhouse_connect.driver.common import format_uri_host  # noqa: PLC0415
    from clickhouse_connect.driver.httputil import get_pool_manager  # noqa: PLC0415
    from urllib3 import make_headers  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    options = {name: one for name, one in address.options.items() if "timeout" not in name}
    place = f"{'https' if address.secure else 'http'}://{format_uri_host(address.host)}"
    with get_pool_manager(**options) as pool:
        try:
            answer = pool.request(
                "GET",
                f"{place}:{address.port}/?query=SELECT+version()",
                headers=make_headers(basic_auth=f"{address.user}:{address.password}"),
                timeout=address.options["connect_timeout"],
                retries=False,
            )
        except HTTPError:
            return None
    said = answer.data.decode("ascii", "replace").strip()
    return said if answer.status == 200 else None


def _stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[bytes, None, None]:
    """Yield batches as Arrow's stream format, compressed, each as soon as it is there."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
