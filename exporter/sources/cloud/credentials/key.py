"""A service account's authorized key: a JSON file whose private key signs JWTs (`README.md`)."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jwt
import orjson
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from exporter.errors import CredentialsError, UnansweredError
from exporter.sources.cloud.credentials.exchange import TOLERATED_APART, Exchange
from exporter.sources.cloud.credentials.given import read_secret
from exporter.sources.cloud.credentials.token import Token

JWT_LIFE = 3600
"""The most seconds from a JWT's `iat` to its `exp` that are accepted."""
JWT_BACKDATED = 60
"""Seconds that `iat` lies before now, in case the service's clock is behind."""
_BEGIN = "-----BEGIN"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AuthorizedKey:
    """A service account's key; its text form shows only its ids."""

    key_id: str
    service_account_id: str
    private_key: RSAPrivateKey

    def sign(self, *, audience: str, now: float) -> SecretStr:
        """Return a JWT to exchange for a token; `now` is the service's time, seconds since 1970."""
        issued = int(now) - JWT_BACKDATED
        decisions = {
            "iss": self.service_account_id,
            "aud": audience,
            "iat": issued,
            "exp": issued + JWT_LIFE,
        }
        return SecretStr(
            jwt.encode(decisions, self.private_key, algorithm="PS256", headers={"kid": self.key_id})
        )


class ServiceAccountKey:
    """Tokens for a service account; the file is read at each exchange, as it may change."""

    def __init__(
        self, path: Path, exchange: Exchange, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = f"the key file {path} (credentials.service_account_key_file)"
        self._path = path
        self._exchange = exchange
        self._clock = clock
        self._warned = False

    def changed(self) -> bool:
        """Return False: a token stays valid if the key in the file changes."""
        return False

    async def fetch(self) -> Token:
        """Return a new token; raises `CredentialsError`."""
        key = await asyncio.to_thread(read_key, self._path, self.name)
        if not self._warned and _open_to_others(self._path):
            self._warned = True
            _log.warning("key_file_open_to_others", path=str(self._path), advice="chmod 600")
        ahead = self._exchange.clock_ahead
        try:
            return await self._exchange_signed(key)
        except UnansweredError:
            raise
        except CredentialsError as error:
            # The refusal may state the time of the service's clock.
            if abs(self._exchange.clock_ahead - ahead) <= TOLERATED_APART:
                raise
            refused = error.clause
        apart = self._exchange.clock_ahead
        told = f"{abs(apart):.0f} seconds {'behind' if apart > 0 else 'ahead of'}"
        _log.warning("clocks_apart", clock=f"this machine's is {told} the cloud's")
        try:
            return await self._exchange_signed(key)
        except UnansweredError:
            raise
        except CredentialsError:
            pass  # the clock was not the cause, or not the only one
        raise CredentialsError(
            f"{refused}; and set this machine's clock, which is {told} the cloud's"
        )

    async def _exchange_signed(self, key: AuthorizedKey) -> Token:
        now = self._clock() + self._exchange.clock_ahead
        signed = key.sign(audience=self._exchange.audience, now=now)
        return await self._exchange.token({"jwt": signed}, self.name)


def read_key(path: Path, name: str) -> AuthorizedKey:
    """Return the key in a file; `name` names it in errors. Raises `CredentialsError`."""
    text = read_secret(path, name)
    problem = "it is not a JSON object"
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = None  # that error would contain the file's text
    if isinstance(fields, dict):
        wanted = ("id", "service_account_id", "private_key")
        missing = [key for key in wanted if not isinstance(fields.get(key), str)]
        if not missing:
            return AuthorizedKey(
                key_id=fields["id"],
                service_account_id=fields["service_account_id"],
                private_key=_load(fields["private_key"], name),
            )
        problem = f"it has no {' and no '.join(missing)}"
    raise CredentialsError(
        f"{name} is not an authorized key of a service account: {problem}; "
        "create one in the console or with the cloud's command line, and save it whole"
    )


def _load(pem: str, name: str) -> RSAPrivateKey:
    # The console puts a line before the key: "PLEASE DO NOT REMOVE THIS LINE!".
    start = max(pem.find(_BEGIN), 0)
    try:
        key = load_pem_private_key(pem[start:].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None  # raised below, without this error, which may quote the key
    if not isinstance(key, RSAPrivateKey):
        raise CredentialsError(
            f"{name} holds a private_key that is not a whole RSA key in PEM form; "
            "save the key whole"
        )
    return key


def _open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
