"""A PostgreSQL server of the tests' own: Debian's programs, a folder and a port of its own.

PostgreSQL refuses to run as root, so root starts it as `nobody`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.certificates import signed

_NOBODY = 65534
PASSWORD = "s3cret/@ %4' \\x"  # What breaks a URL and a quoted value.


class Server:
    """A server that `start` and `stop` begin and end; `authority` signed its certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.log = folder / "log"
        self.authority = folder

    def start(self) -> None:
        """Start the server, which recovers if it was stopped at once."""
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self.log))

    def stop(self, mode: str) -> None:
        """Stop the server: `fast`, or `immediate`, which is a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self._data))

    def create(self, *, usual: bool) -> None:
        """Make the cluster; over TCP, a user needs a password.

        With `usual`, no password is checked, and its settings are those that PostgreSQL comes with,
        to be measured. Otherwise it is small and quick, and its log has every statement.
        """
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            "owner",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--auth-local=trust",
            f"--auth-host={'trust' if usual else 'scram-sha-256'}",
            "--no-sync",
        )
        settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.folder}'",
        }
        if not usual:
            self.authority, certificate = signed(self.folder)
            certificate.chmod(0o600)
            if os.geteuid() == 0:
                os.chown(certificate, _NOBODY, _NOBODY)
            settings |= {
                "ssl": "on",
                "ssl_cert_file": f"'{certificate}'",
                "ssl_key_file": f"'{certificate}'",
                "fsync": "off",
                "log_statement": "all",
                "log_line_prefix": "'%a|'",
                "shared_buffers": "32MB",
            }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def url(self, database: str = "postgres", user: str = "owner") -> str:
        """Return the URL of a database over the socket, where no password is needed."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder))}&port={self.port}"

    def tcp_url(self, user: str, password: str | None = None, database: str = "postgres") -> str:
        """Return the URL of a database over TCP, where a password is needed."""
        secret = "" if password is None else f":{password}"
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", user: str = "owner") -> psycopg.Connection[Any]:
        """Connect by a client that shares no code with the program; each statement commits."""
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            dbname=database,
            user=user,
            autocommit=True,
            options="-c TimeZone=UTC",
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        other = _NOBODY if os.geteuid() == 0 else None
        done = subprocess.run(
            [_program(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            check=False,
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
        assert done.returncode == 0, (program, arguments, done.stderr.decode())


@contextmanager
def running_server(*, usual: bool = False) -> Iterator[Server]:
    """Start a server, made as `Server.create` says, and stop it at the end."""
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="registry-postgres-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        server = Server(folder)
        server.create(usual=usual)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    path = str(max(found)) if found else shutil.which(name)
    assert path, f"{name} is missing: scripts/test installs it"
    return path


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
