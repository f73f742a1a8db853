"""The choice of a source of tokens: the one in the settings, else the first in the environment.

If the settings name none, the order is:

1. `REGISTRY_IAM_TOKEN`, `IAM_TOKEN`, `NEBIUS_IAM_TOKEN`, `YC_IAM_TOKEN`: an IAM token;
2. `YC_TOKEN`: an IAM token, or an OAuth token if it begins with `y0_`;
3. `REGISTRY_OAUTH_TOKEN`: an OAuth token;
4. the metadata service of the virtual machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import structlog
from pydantic import SecretStr

from exporter.errors import CredentialsError
from exporter.http.retry import Sleep
from exporter.settings import Credentials
from exporter.sources.cloud.credentials.exchange import Exchange, OauthToken
from exporter.sources.cloud.credentials.given import GivenToken, TokenFile
from exporter.sources.cloud.credentials.metadata import MetadataService
from exporter.sources.cloud.credentials.token import Token, TokenSource, bare

IAM_VARIABLES = ("REGISTRY_IAM_TOKEN", "IAM_TOKEN", "NEBIUS_IAM_TOKEN", "YC_IAM_TOKEN")
EITHER_VARIABLE = "YC_TOKEN"
OAUTH_VARIABLE = "REGISTRY_OAUTH_TOKEN"
_OAUTH_PREFIX = "y0_"

_log = structlog.get_logger(__name__)


def choose_source(
    credentials: Credentials,
    exchange: Exchange,
    *,
    sleep: Sleep,
    environment: Mapping[str, str] = os.environ,
) -> TokenSource:
    """Return the source of tokens to use, in the order at the top of this module.

    Raises `CredentialsError` for a text that cannot be a token. Whether there is a metadata service
    is known only once a token is fetched.
    """
    source = _named(credentials, exchange, sleep) or _found(
        credentials, exchange, sleep, environment
    )
    _log.info("credentials_chosen", source=source.name)
    return source


def _named(credentials: Credentials, exchange: Exchange, sleep: Sleep) -> TokenSource | None:
    if credentials.iam_token is not None:
        return GivenToken(credentials.iam_token, "credentials.iam_token")
    if credentials.iam_token_file is not None:
        return TokenFile(credentials.iam_token_file)
    if credentials.service_account_key_file is not None:
        # Imported here, because the library that signs takes long to import.
        from exporter.sources.cloud.credentials.key import ServiceAccountKey  # noqa: PLC0415

        return ServiceAccountKey(credentials.service_account_key_file, exchange)
    if credentials.oauth_token is not None:
        return OauthToken(credentials.oauth_token, "credentials.oauth_token", exchange)
    if credentials.metadata:
        return MetadataService(credentials.metadata_url, sleep=sleep)
    return None


def _found(
    credentials: Credentials, exchange: Exchange, sleep: Sleep, environment: Mapping[str, str]
) -> TokenSource:
    for name in (*IAM_VARIABLES, EITHER_VARIABLE, OAUTH_VARIABLE):
        value = bare(environment.get(name, ""))
        if not value:
            continue
        where = f"the environment variable {name}"
        oauth = name == OAUTH_VARIABLE or (
            name == EITHER_VARIABLE and value.startswith(_OAUTH_PREFIX)
        )
        if oauth:
            return OauthToken(SecretStr(value), where, exchange)
        return GivenToken(SecretStr(value), where)
    return _LastResort(MetadataService(credentials.metadata_url, sleep=sleep))


class _LastResort:
    """The metadata service if the settings name none: its absence means that nothing was set."""

    def __init__(self, service: MetadataService) -> None:
        self.name = service.name
        self._service = service
        self._answered = False

    def changed(self) -> bool:
        return self._service.changed()

    async def fetch(self) -> Token:
        try:
            token = await self._service.fetch()
        except CredentialsError:
            if self._answered:
                raise
        else:
            self._answered = True
            return token
        raise CredentialsError(
            "no credentials were found: set one of credentials.iam_token, iam_token_file, "
            "service_account_key_file, oauth_token or metadata, or one of the environment "
            f"variables {', '.join((*IAM_VARIABLES, EITHER_VARIABLE, OAUTH_VARIABLE))}; "
            "no metadata service answered on this machine either"
        )
