"""A ClickHouse server for tests: chdb, which is ClickHouse's engine in a process, behind HTTP.

Debian's ClickHouse is of 2018, and nothing else that can be installed has a newer server. So this
speaks as much of ClickHouse's HTTP interface as clickhouse-connect uses, with the engine's own
answers and errors; only the user's password is checked here. `python clickhouse_server.py FOLDER
PASSWORD [PORT]` prints its port.

The file `wish` beside the folder, in JSON, asks for more. With `kill`, a process is killed at the
statement `at`, counted from when the file is there; without `kill`, the server itself is. Every
other time, the statement is run before. With `answers`, statements that match one of these regular
expressions get its answer instead.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

_INSERT = re.compile(r"(INSERT\s+INTO\s+.*?)\s+FORMAT\s+(\w+)\s*$", re.IGNORECASE | re.DOTALL)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_CODE = re.compile(r"Code: (\d+)")
_DENIED = "Code: 516. DB::Exception: x: Authentication failed. (AUTHENTICATION_FAILED)"


class Server(http.server.ThreadingHTTPServer):
    """One engine on a folder; its statements run one after another."""

    daemon_threads = True

    def __init__(self, folder: str, password: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.engine: Any = chdb.connect(folder)
        self.password = password
        self.turn = threading.Lock()
        self._wish = Path(f"{folder}.wish")
        self._seen = 0

    def wish(self, sql: str, *, run: bool) -> str | None:
        """Do what the wish says for a statement; return an answer in place of the engine's."""
        if not self._wish.exists():
            self._seen = 0
            return None
        told = json.loads(self._wish.read_text())
        if "answers" in told:
            for match, answer in told["answers"].items():
                if re.search(match, sql, re.DOTALL):
                    return str(answer)
            return None
        self._seen += 1
        if self._seen == told["at"]:
            self._wish.unlink()
            if self._seen % 2 and run:
                self.engine.query(sql)
            os.kill(told.get("kill", os.getpid()), signal.SIGKILL)
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    """One statement: its text is the body, or the parameter `query` beside a body of rows."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Run a statement that is a parameter."""
        self.do_POST()

    def do_POST(self) -> None:
        """Run a statement."""
        told = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        with tempfile.NamedTemporaryFile() as body:
            if not self._receive(body):
                self.close_connection = True
                return  # The client went away in the middle: nothing is run.
            if not self._is_known():
                self._fail(_DENIED)
                return
            body.flush()
            body.seek(0)
            sql = told.get("query") or body.read().decode()
            try:
                form, answer = self._run(sql, told, body.name)
            except RuntimeError as error:
                self._fail(str(error))
                return
        self._send(200, answer, {"X-ClickHouse-Format": form} if form else {})

    def _run(self, sql: str, told: dict[str, str], body: str) -> tuple[str, bytes]:
        params = {key[6:]: value for key, value in told.items() if key.startswith("param_")}
        engine = self.server.engine
        with self.server.turn:
            found = _INSERT.fullmatch(sql.strip())
            if found:
                sql = f"{found[1]} FROM INFILE '{body}' FORMAT {found[2]}"
            if (answer := self.server.wish(sql, run=not params)) is not None:
                if answer.startswith("Code:"):
                    raise RuntimeError(answer)
                return "TabSeparated", answer.encode()
            if found:
                engine.query(sql)
                return "", b""
            asked = _FORMAT.search(sql)
            form = asked[1] if asked else told.get("default_format", "TabSeparated")
            done: Any = (
                engine.query(sql, form, params=params) if params else engine.query(sql, form)
            )
            return form, done.bytes()

    def _receive(self, file: Any) -> bool:
        """Read the body into a file; return False if it is cut short."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            data = self.rfile.read(length)
            file.write(data)
            return len(data) == length
        while line := self.rfile.readline():
            length = int(line, 16)
            data = self.rfile.read(length)
            if len(data) < length or not self.rfile.readline():
                return False
            file.write(data)
            if length == 0:
                return True
        return False

    def _is_known(self) -> bool:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and base64.b64decode(value).decode() == f"x:{self.server.password}"

    def _fail(self, message: str) -> None:
        found = _CODE.search(message)
        code = found[1] if found else "1002"
        status = {"516": 403, "497": 403}.get(code, 500)
        text = message[found.start() :] if found else message
        self._send(status, text.encode(), {"X-ClickHouse-Exception-Code": code})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"X-ClickHouse-Summary": "{}", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing of each request."""


def end_with_parent() -> None:
    """End this process once the one that started it is gone, and its end of stdin with it."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    server = Server(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
