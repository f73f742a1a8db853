"""The Authorization header of each call: none, Basic, or a token for the call's own repository.

A registry is asked once how it wants to be called. The scope of a token is made up here, and not
taken from the challenge: some registries name a placeholder there. Each repository has a token of
its own, because some servers grant only the first of several scopes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import structlog
from pydantic import SecretStr

from exporter.errors import CredentialsError
from exporter.sources.oci.credentials.challenges import Challenge, choose, parse_challenges
from exporter.sources.oci.credentials.find import CredentialFinder, Credentials
from exporter.sources.oci.credentials.token_service import Token, TokenService
from exporter.sources.oci.endpoint import Endpoint

MOST_TOKENS = 4096
"""Tokens that are kept: a repository's work is kept together, so few are needed at a time."""
BASIC_SCOPE = "basic"
"""The scope of calls that take user and password, whatever the registry asks for."""
NOBODY = SecretStr("")
"""The header of an anonymous call: none."""

_log = structlog.get_logger(__name__)


def token_scope(registry_id: str, scope: str) -> str:
    """Return the `token_scope` of a call to a registry; `scope` as its token service knows it."""
    return f"{registry_id} {scope}"


class OciAuthenticator:
    """Gives the calls to all registries of a run their headers (`http.auth.Authenticator`)."""

    source_name = "the registry's credentials"

    def __init__(self, registries: Mapping[str, RegistryAuth]) -> None:
        self._registries = registries

    async def get(self, scope: str | None = None) -> SecretStr:
        """Return the header for a scope; raises `FaultError` if no token can be had for it."""
        registry, own = self._of(scope)
        return await registry.get(own)

    async def renew(
        self, refused: SecretStr, scope: str | None = None, challenges: Sequence[str] = ()
    ) -> SecretStr:
        """Return another header than the refused one; `CredentialsError` if there is none."""
        registry, own = self._of(scope)
        return await registry.renew(refused, own, challenges)

    async def close(self) -> None:
        """Nothing is under way."""

    def _of(self, scope: str | None) -> tuple[RegistryAuth, str]:
        registry_id, _, own = (scope or "").partition(" ")
        return self._registries[registry_id], own


class RegistryAuth:
    """The headers for one registry's calls."""

    def __init__(self, endpoint: Endpoint, finder: CredentialFinder, tokens: TokenService) -> None:
        self._endpoint = endpoint
        self._finder = finder
        self._service = tokens
        self._challenge: Challenge | None = None
        self._is_asked = False
        self._asking = asyncio.Lock()
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}
        self._found: dict[str, Credentials | None] = {}

    async def get(self, scope: str) -> SecretStr:
        """Return the header for a scope; raises `FaultError`."""
        await self._ask_how()
        return await self._header(scope, refused=None)

    async def renew(self, refused: SecretStr, scope: str, challenges: Sequence[str]) -> SecretStr:
        """Return another header than the refused one; raises `CredentialsError` or `FaultError`."""
        challenge = choose(parse_challenges(challenges))
        if challenge is not None:
            self._challenge = challenge
        header = await self._header(scope, refused=refused)
        if header.get_secret_value() == refused.get_secret_value():
            raise CredentialsError(f"{self._endpoint.registry_id} does not accept the credentials")
        return header

    async def _ask_how(self) -> None:
        if self._is_asked:
            return
        async with self._asking:
            if not self._is_asked:
                self._challenge = choose(parse_challenges(await self._endpoint.challenges()))
                self._is_asked = True

    async def _header(self, scope: str, *, refused: SecretStr | None) -> SecretStr:
        challenge = self._challenge
        if challenge is None and scope != BASIC_SCOPE:
            return NOBODY
        credentials = await self._credentials(scope)
        if credentials is not None and credentials.registry_token is not None:
            return SecretStr(f"Bearer {credentials.registry_token.get_secret_value()}")
        if challenge is None or challenge.scheme == "basic" or scope == BASIC_SCOPE:
            return (credentials and credentials.basic()) or NOBODY
        return await self._token(challenge, scope, credentials, refused)

    async def _token(
        self,
        challenge: Challenge,
        scope: str,
        credentials: Credentials | None,
        refused: SecretStr | None,
    ) -> SecretStr:
        """Return a token that is good now; whoever needs the same one waits for one request."""
        lock = self._locks.setdefault(scope, asyncio.Lock())
        async with lock:
            token = self._tokens.get(scope)
            is_refused = (
                token is not None
                and refused is not None
                and token.value.get_secret_value() == refused.get_secret_value()
            )
            now = asyncio.get_running_loop().time()
            if token is None or is_refused or token.until <= now:
                token = await self._service.fetch(challenge, scope, credentials)
                self._tokens[scope] = token
                if len(self._tokens) > MOST_TOKENS:
                    oldest, _ = self._tokens.popitem(last=False)
                    self._locks.pop(oldest, None)
            self._tokens.move_to_end(scope)
            return token.value

    async def _credentials(self, scope: str) -> Credentials | None:
        kind, _, rest = scope.partition(":")
        repository = rest.rpartition(":")[0] if kind == "repository" else ""
        if repository not in self._found:
            found = await asyncio.to_thread(self._finder.find, repository)
            self._found[repository] = found
        return self._found[repository]
