"""A token service that the real registry trusts, and a store that it sends readers of blobs to."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.oci.server import PASSWORD, USER

ISSUER, SERVICE = "tests", "registry of the tests"


@dataclass
class TokenServer:
    """Issues tokens to one user; `asked` are the scopes, in order, with who asked for each.

    `refused` are the repositories that no token is issued for.
    """

    folder: Path
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = self.folder / "tokens.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def settings(self) -> dict[str, str]:
        """Return the registry's settings for it."""
        return {
            "realm": f"{self.url}/token?kind=of tests",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.bundle),
        }

    def token(self, scope: str) -> str:
        """Return a token that allows all of a scope."""
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "nbf": now - 60,
            "exp": now + 300,
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        encoded = base64.b64encode(
            self._certificate.public_bytes(serialization.Encoding.DER)
        ).decode()
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"x5c": [encoded]})

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, object]]:
        """Answer one request."""
        scope = parse_qs(urlsplit(path).query).get("scope", [""])[0]
        self.asked.append((scope, authorization))
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": authorization}]}
        if scope.split(":")[1] in self.refused:
            return 403, {"errors": [{"code": "DENIED", "message": "not for you"}]}
        return 200, {"token": self.token(scope), "expires_in": 300}


@contextmanager
def serving_tokens(folder: Path) -> Iterator[TokenServer]:
    """Run a token service."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = TokenServer(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = tokens.answer(self.path, self.headers.get("Authorization", ""))
            body = orjson.dumps(content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _serving(Handler) as url:
        tokens.url = url
        yield tokens


@contextmanager
def serving_files(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder; yield the URL, and the Authorization header of each request."""
    seen: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _serving(partial(Handler, directory=str(folder))) as url:
        yield url, seen


@contextmanager
def _serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
