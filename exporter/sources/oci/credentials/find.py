"""Credentials of a registry, found where docker, podman and skopeo keep them.

In order: the settings, `$DOCKER_AUTH_CONFIG`, `$DOCKER_CONFIG/config.json`,
`~/.docker/config.json`, `$REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers/auth.json`,
`~/.config/containers/auth.json`.
Credentials are those of one host alone, and never go to another.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from pydantic import SecretStr

from exporter.settings import OciRegistry
from exporter.settings.oci import HUB
from exporter.sources.oci.credentials.helpers import ask_helper

HUB_KEY = "https://index.docker.io/v1/"
"""The name of Docker Hub in credential files and for helpers."""
TOKEN_USER = "<token>"  # noqa: S105 - it says that the password is a token
_HUB_HOSTS = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Credentials:
    """What a caller has: a user with a password, an identity token, or a bearer token.

    `origin` says where they stand, for messages.
    """

    origin: str
    username: str = ""
    password: SecretStr | None = None
    identity_token: SecretStr | None = None
    registry_token: SecretStr | None = None

    def basic(self) -> SecretStr | None:
        """Return the value of an Authorization header with user and password."""
        secret = self.password or self.identity_token
        if secret is None:
            return None
        pair = f"{self.username or TOKEN_USER}:{secret.get_secret_value()}"
        return SecretStr(f"Basic {base64.b64encode(pair.encode()).decode()}")


class CredentialFinder:
    """Finds the credentials for one registry's repositories; files are read once.

    `environment` has the variables, `home` is the user's folder.
    """

    def __init__(
        self,
        registry: OciRegistry,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
    ) -> None:
        self._registry = registry
        self._environment = os.environ if environment is None else environment
        self._home = home
        self._files: list[tuple[str, Mapping[str, Any]]] | None = None
        self._helped: dict[tuple[str, str], tuple[str, str] | None] = {}

    def find(self, repository: str = "") -> Credentials | None:
        """Return the credentials for a repository; None for an anonymous caller.

        It may start a helper, and wait for it.
        """
        registry = self._registry
        if registry.username is not None and registry.password is not None:
            origin = f"oci.registries ({registry.registry})"
            return _told(origin, registry.username, registry.password.get_secret_value())
        for origin, content in self._contents():
            found = self._in_file(origin, content, repository)
            if found is not None:
                return found
        return None

    def origin(self) -> str | None:
        """Return where the registry's credentials stand, in words; None for an anonymous caller.

        No helper is started. An entry for a part of the registry alone does not count.
        """
        if self._registry.username is not None:
            return "oci.registries"
        for origin, content in self._contents():
            helper = self._helper(content)
            if helper is None and self._entry(origin, content, "") is not None:
                return origin
            if helper := helper or _store(content):
                return f"docker-credential-{helper}, which {origin} names"
        return None

    def _contents(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        if self._files is None:
            self._files = list(self._read_files())
        return self._files

    def _read_files(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        text = self._environment.get("DOCKER_AUTH_CONFIG")
        if text:
            yield from _parsed("DOCKER_AUTH_CONFIG in the environment", text.encode)
        for path in self._paths():
            try:
                yield from _parsed(str(path), path.read_bytes)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                _log.warning("credentials_unreadable", origin=str(path), reason=error.strerror)

    def _paths(self) -> Iterator[Path]:
        environment = self._environment
        home = self._home or _home()
        if folder := environment.get("DOCKER_CONFIG"):
            yield Path(folder, "config.json")
        if home is not None:
            yield home / ".docker/config.json"
        if file := environment.get("REGISTRY_AUTH_FILE"):
            yield Path(file)
        if folder := environment.get("XDG_RUNTIME_DIR"):
            yield Path(folder, "containers/auth.json")
        if home is not None:
            yield home / ".config/containers/auth.json"

    def _in_file(
        self, origin: str, content: Mapping[str, Any], repository: str
    ) -> Credentials | None:
        if helper := self._helper(content):
            return self._from_helper(helper)
        found = self._entry(origin, content, repository)
        if found is not None:
            return found
        store = _store(content)
        return self._from_helper(store) if store else None

    def _helper(self, content: Mapping[str, Any]) -> str | None:
        """Return the helper that a file names for this registry."""
        helpers = content.get("credHelpers")
        if isinstance(helpers, Mapping):
            for key, helper in helpers.items():
                if _without_scheme(str(key)) == self._registry.host and isinstance(helper, str):
                    return helper
        return None

    def _entry(
        self, origin: str, content: Mapping[str, Any], repository: str
    ) -> Credentials | None:
        """Return the credentials that stand in a file itself."""
        auths = content.get("auths")
        if not isinstance(auths, Mapping):
            return None
        entry = _entry(auths, f"{self._registry.registry}/{repository}".rstrip("/"))
        return _from_entry(origin, entry) if entry is not None else None

    def _from_helper(self, helper: str) -> Credentials | None:
        server = HUB_KEY if self._registry.host == HUB else self._registry.host
        if (helper, server) not in self._helped:
            self._helped[helper, server] = ask_helper(helper, server)
        answer = self._helped[helper, server]
        return None if answer is None else _told(f"docker-credential-{helper}", *answer)


def _store(content: Mapping[str, Any]) -> str | None:
    """Return the helper that a file names for all registries."""
    store = content.get("credsStore")
    return store if isinstance(store, str) and store else None


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # The user has none.
        return None


def _parsed(origin: str, read: Callable[[], bytes]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    content = read()
    if not content.strip():
        return
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        parsed = None  # The error would quote what may be a secret.
    if isinstance(parsed, Mapping):
        yield origin, parsed
    else:
        _log.warning("credentials_unreadable", origin=origin, reason="it is not a JSON object")


def _entry(auths: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """Return the entry for a repository's path, or else that of the longest path above it."""
    parts = path.split("/")
    shorter = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    plain: dict[str, Any] = {}
    for key, entry in auths.items():
        plain.setdefault(_without_scheme(str(key)), entry)
    for one in shorter:
        entry = auths.get(one, plain.get(one))
        if isinstance(entry, Mapping):
            return entry
    return None


def _without_scheme(key: str) -> str:
    """Return a key as `host[:port][/path]`: no scheme, no `/v1/`, and one name for the Hub."""
    rest = key.partition("://")[2] or key
    rest = rest.rstrip("/").removesuffix("/v1").removesuffix("/v2").rstrip("/")
    host, slash, path = rest.partition("/")
    host = HUB if host.lower() in _HUB_HOSTS else host.lower()
    return f"{host}{slash}{path}"


def _from_entry(origin: str, entry: Mapping[str, Any]) -> Credentials | None:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    if token := text("registrytoken"):
        return Credentials(origin, registry_token=SecretStr(token))
    username, password = text("username"), text("password")
    if auth := text("auth"):
        try:
            padded = auth.strip() + "=" * (-len(auth.strip()) % 4)
            decoded = base64.b64decode(padded).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            _log.warning("credentials_unreadable", origin=origin, reason="`auth` is not base64")
            decoded = ""
        if ":" in decoded:
            username, _, password = decoded.rstrip("\0").partition(":")
    if token := text("identitytoken"):
        return Credentials(origin, username, identity_token=SecretStr(token))
    return _told(origin, username, password) if username else None


def _told(origin: str, username: str, password: str) -> Credentials:
    if username == TOKEN_USER:
        return Credentials(origin, identity_token=SecretStr(password))
    return Credentials(origin, username, SecretStr(password))
