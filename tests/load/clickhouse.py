"""A ClickHouse server of a process of its own (`clickhouse_server`), and what is asked of it."""

from __future__ import annotations

import atexit
import base64
import json
import subprocess
import sys
import tempfile
from functools import cache
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow as pa

from tests.load.published import Row

PASSWORD = "geheim-3f9"


class Server:
    """A server of its own process, which can be ended and started again on what it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.wish_file = folder / "data.wish"
        self.port = 0
        self.start()

    def start(self) -> None:
        program = str(Path(__file__).with_name("clickhouse_server.py"))
        port = [str(self.port)] if self.port else []
        self.process = subprocess.Popen(
            [sys.executable, program, str(self.folder), PASSWORD, *port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        with self.process:
            self.process.kill()

    def url(self, password: str = "") -> str:
        """Return what `--to` names, with or without the password."""
        known = f"x:{password}" if password else "x"
        return f"clickhouse://{known}@127.0.0.1:{self.port}/default"

    def wish(self, **told: Any) -> None:
        self.wish_file.write_text(json.dumps(told))

    def rows(self, query: str) -> list[Row]:
        """Return a query's rows, as Arrow has them, by another client than the program's."""
        with self._ask("?default_format=Arrow", query) as answer:
            table = pa.ipc.open_file(pa.BufferReader(answer.read())).read_all()
        return list(table.to_pylist(maps_as_pydicts="strict"))

    def run(self, statement: str) -> None:
        self._ask("", statement).close()

    def _ask(self, parameters: str, text: str) -> HTTPResponse:
        request = Request(f"http://127.0.0.1:{self.port}/{parameters}", text.encode())
        known = base64.b64encode(f"x:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {known}")
        answer: HTTPResponse = urlopen(request)
        return answer


@cache
def clickhouse() -> Server:
    """Return a server that all tests of this process share."""
    folder = tempfile.TemporaryDirectory(prefix="clickhouse-")
    server = Server(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.end)
    return server
