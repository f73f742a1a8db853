"""An Iceberg REST catalog for tests: the calls that a load makes, over a catalog of SQLite.

Its tables and their commits are pyiceberg's own. Views are kept in memory, as they were sent.
"""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableRequest, Table

_VERBS = (
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "POST /v1/{prefix}/namespaces/{namespace}/views",
    "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}",
)


@dataclass
class RestCatalog:
    """Serves a catalog on a loopback port; a context manager.

    `refuses` is the status that all calls but the first are answered with; 0 for none.
    """

    behind: SqlCatalog
    token: str = "let-me-in"
    refuses: int = 0
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    url: str = ""

    def __enter__(self) -> Self:
        catalog = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                sent = json.loads(self.rfile.read(length) or b"{}")
                status, said = catalog.answered(
                    self.command, self.path, self.headers.get("Authorization") or "", sent
                )
                content = b"" if said is None else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815 - the base's names

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answered(self, verb: str, path: str, key: str, sent: Any) -> tuple[int, Any]:
        """Return status and content of the answer to a call."""
        steps = path.partition("?")[0].strip("/").split("/")[1:]
        if steps == ["config"]:
            return 200, {"defaults": {}, "overrides": {}, "endpoints": [*_VERBS]}
        if key != f"Bearer {self.token}":
            return _error(401, "NotAuthorizedException", "Not authorized")
        if self.refuses:
            return _error(self.refuses, "Refused", "No")
        with suppress(NoSuchTableError):
            return self._found(verb, steps, sent)
        return _error(404, "NoSuchTableException", path)

    def _found(self, verb: str, steps: list[str], sent: Any) -> tuple[int, Any]:
        match steps:
            case ["namespaces"]:
                self.behind.create_namespace(tuple(sent["namespace"]))
                return 200, {"namespace": sent["namespace"], "properties": {}}
            case ["namespaces", name, "tables"]:
                return self._tables(verb, name, sent)
            case ["namespaces", name, "tables", table]:
                return self._table(verb, (name, table), sent)
            case ["namespaces", _, "views", *view]:
                return self._view(verb, view[0] if view else sent["name"], sent)
        there = self.behind.namespace_exists(steps[1])
        return (204, None) if there else _error(404, "NoSuchNamespaceException", steps[1])

    def _tables(self, verb: str, namespace: str, sent: Any) -> tuple[int, Any]:
        if verb == "GET":
            found = self.behind.list_tables(namespace)
            return 200, {"identifiers": [{"namespace": [at], "name": name} for at, name in found]}
        try:
            table = self.behind.create_table(
                (namespace, sent["name"]),
                Schema.model_validate(sent["schema"]),
                partition_spec=PartitionSpec.model_validate(sent["partition-spec"]),
                properties=sent["properties"],
            )
        except TableAlreadyExistsError:
            return _error(409, "AlreadyExistsException", sent["name"])
        return 200, _told(table)

    def _table(self, verb: str, name: tuple[str, str], sent: Any) -> tuple[int, Any]:
        table = self.behind.load_table(name)
        if verb == "POST":
            request = CommitTableRequest.model_validate(
                {**sent, "identifier": {"namespace": [name[0]], "name": name[1]}}
            )
            self.behind.commit_table(table, request.requirements, request.updates)
            table = self.behind.load_table(name)
        return 200, _told(table)

    def _view(self, verb: str, name: str, sent: Any) -> tuple[int, Any]:
        if verb == "POST":
            self.views[name] = sent
        elif verb == "DELETE":
            del self.views[name]
            return 204, None
        there = self.views.get(name)
        if there is None:
            return _error(404, "NoSuchViewException", name)
        version = there["view-version"]
        return 200, {
            "metadata-location": f"memory:{name}",
            "metadata": {
                "view-uuid": str(uuid.uuid4()),
                "format-version": 1,
                "location": f"memory:{name}",
                "schemas": [there["schema"]],
                "current-version-id": version["version-id"],
                "versions": [version],
                "version-log": [],
                "properties": there["properties"],
            },
        }


def _told(table: Table) -> dict[str, Any]:
    metadata = json.loads(table.metadata.model_dump_json())
    return {"metadata-location": table.metadata_location, "metadata": metadata, "config": {}}


def _error(status: int, kind: str, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": kind, "code": status}}
