"""The real registry, `docker-registry` of Debian, started for tests on a loopback address."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.e2e.waiting import until

USER, PASSWORD = "alice", "hush-hush-secret-of-alice"


@dataclass
class Registry:
    """A running registry: `host` with its port, and the folder that it keeps its content in."""

    host: str
    folder: Path
    prefix: str = ""
    ca_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request, as the tests' own client."""
        connection = self._connection()
        try:
            wanted = {**self.headers, **(headers or {})}
            connection.request(method, self.prefix + path, body, wanted)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def push_blob(self, repository: str, digest: str, content: bytes) -> None:
        """Put a blob into a repository."""
        status, headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, status
        place = urlsplit(headers["location"])
        path = f"{place.path}?{place.query}&digest={digest}".removeprefix(self.prefix)
        put = {"Content-Type": "application/octet-stream"}
        status, _, answer = self.ask("PUT", path, content, put)
        assert status == 201, (status, answer)

    def push_manifest(self, repository: str, reference: str, type_: str, body: bytes) -> None:
        """Put a manifest into a repository, under a tag or its digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        status, _, answer = self.ask("PUT", path, body, {"Content-Type": type_})
        assert status == 201, (status, answer)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with all its tags."""
        status, _, _ = self.ask("DELETE", f"/v2/{repository}/manifests/{digest}")
        assert status == 202

    def collect_garbage(self) -> None:
        """Delete manifests without a tag, as its operator would, those of indexes among them."""
        command = ["docker-registry", "garbage-collect", "-m", str(self.folder / "config.yml")]
        subprocess.run(command, check=True, capture_output=True)

    def _connection(self) -> HTTPConnection:
        if self.ca_file is None:
            return HTTPConnection(self.host, timeout=60)
        context = ssl.create_default_context(cafile=self.ca_file)
        return HTTPSConnection(self.host, timeout=60, context=context)


@contextmanager
def serving(
    folder: Path,
    *,
    htpasswd: bool = False,
    token: Mapping[str, str] | None = None,
    prefix: str = "",
    redirect: str | None = None,
    certificates: tuple[Path, Path] | None = None,
) -> Iterator[Registry]:
    """Run a registry that keeps its content in a folder.

    `token` is its token authentication, `redirect` where it sends readers of blobs, `certificates`
    are those of its authority and its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "of the tests"}
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": http,
        "validation": {"manifests": {"urls": {"allow": ["^https://example.com/"]}}},
    }
    registry = Registry(f"127.0.0.1:{port}", folder)
    if prefix:
        http["prefix"] = f"{prefix}/"
        registry.prefix = prefix
    if certificates is not None:
        registry.ca_file, own = certificates
        http["tls"] = {"certificate": str(own), "key": str(own)}
    if htpasswd:
        file = folder / "htpasswd"
        command = ["htpasswd", "-Bbc", str(file), USER, PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        config["auth"] = {"htpasswd": {"realm": "basic, realm", "path": str(file)}}
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        registry.headers = {"Authorization": f"Basic {pair}"}
    if token is not None:
        config["auth"] = {"token": dict(token)}
    if redirect is not None:
        middleware = [{"name": "redirect", "options": {"baseurl": redirect}}]
        config["middleware"] = {"storage": middleware}
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config))
    assert shutil.which("docker-registry"), "scripts/test installs docker-registry"
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(path)], stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or _answers(port), "the registry answers")
        assert process.poll() is None, (folder / "log").read_text()
        yield registry
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def as_json(content: Any) -> bytes:
    """Return content as the bytes of a manifest."""
    return json.dumps(content, indent=3).encode()
