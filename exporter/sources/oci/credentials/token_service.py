"""Tokens of a token service: what is asked for, what is accepted, and for how long it is good."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import orjson
from pydantic import SecretStr

from exporter.http.faults import (
    Fault,
    FaultError,
    fault_of_reply,
    fault_of_silence,
)
from exporter.http.redirects import is_link_local, is_local
from exporter.http.reply import Reply
from exporter.http.transport import Transport
from exporter.http.trouble import NoReplyError
from exporter.sources.oci.credentials.challenges import Challenge
from exporter.sources.oci.credentials.find import Credentials
from exporter.sources.oci.endpoint import Endpoint

LEAST_SECONDS = 60.0
"""How long a token is good that does not say so, or says less (distribution's token API)."""
RENEWED_BEFORE = 5.0
"""Seconds before its end in which a token is not used any more."""
TIMEOUT = 30.0
MOST_BYTES = 1 << 20
_CLIENT = "registry-exporter"


@dataclass(frozen=True)
class Token:
    """A token, and the moment of the event loop's clock from which on it is not used."""

    value: SecretStr
    until: float


class TokenService:
    """Asks for tokens where a challenge points to, with the credentials for the repository."""

    def __init__(self, transport: Transport, endpoint: Endpoint) -> None:
        self._transport = transport
        self._endpoint = endpoint

    async def fetch(
        self, challenge: Challenge, scope: str, credentials: Credentials | None
    ) -> Token:
        """Return a token for one scope, such as `repository:team/app:pull`.

        Raises `FaultError`: one that passes if the service does not answer, and else a refusal.
        """
        began = asyncio.get_running_loop().time()
        realm = _realm(challenge, f"{await self._endpoint.base()}/v2/")
        service = challenge.parameters.get("service", "")
        reply: Reply | None = None
        if credentials is not None and credentials.identity_token is not None:
            reply = await self._post(realm, service, scope, credentials.identity_token)
        if reply is None or reply.status in (404, 405):
            # A service without the POST knows the identity token as a password.
            reply = await self._get(realm, service, scope, credentials)
        return _read_token(reply, realm, began, credentials)

    async def _get(
        self, realm: str, service: str, scope: str, credentials: Credentials | None
    ) -> Reply:
        parts = urlsplit(realm)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if service:
            query.append(("service", service))
        query.append(("scope", scope))
        url = parts._replace(query=urlencode(query), fragment="").geturl()
        basic = credentials.basic() if credentials is not None else None
        return await self._sent(url, token=basic)

    async def _post(self, realm: str, service: str, scope: str, identity_token: SecretStr) -> Reply:
        form = {
            "grant_type": SecretStr("refresh_token"),
            "refresh_token": identity_token,
            "service": SecretStr(service),
            "scope": SecretStr(scope),
            "client_id": SecretStr(_CLIENT),
        }
        return await self._sent(realm, post=form)

    async def _sent(
        self,
        url: str,
        *,
        token: SecretStr | None = None,
        post: dict[str, SecretStr] | None = None,
    ) -> Reply:
        try:
            return await self._transport.send(
                url,
                timeout=TIMEOUT,
                max_bytes=MOST_BYTES,
                token=token,
                post=post,
                as_form=True,
            )
        except NoReplyError as error:
            raise FaultError(fault_of_silence(error)) from None


def _realm(challenge: Challenge, registry_url: str) -> str:
    """Return the service's URL; raises `FaultError` for one that secrets must not go to."""
    realm = urljoin(registry_url, challenge.parameters.get("realm", ""))
    parts, registry = urlsplit(realm), urlsplit(registry_url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise _refused("the registry names a token service that is not a URL")
    if parts.scheme == "http" and registry.scheme == "https":
        raise _refused(f"the registry names a token service on plain http:// ({host})")
    if is_link_local(host) or (is_local(host) and not is_local(registry.hostname or "")):
        raise _refused(f"the registry names a token service that is this machine's own ({host})")
    return realm


def _refused(message: str) -> FaultError:
    advice = "have the operator of the registry mend its challenge"
    fault = Fault(
        "bad_realm",
        message,
        "status",
        False,
        http_status=401,
        code="UNAUTHENTICATED",
        advice=advice,
    )
    return FaultError(fault)


def _read_token(reply: Reply, realm: str, began: float, credentials: Credentials | None) -> Token:
    host = urlsplit(realm).netloc
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        # The service's own words are left out: it may quote the credentials that it refuses.
        who = f"the credentials from {credentials.origin}" if credentials else "an anonymous caller"
        fault = Fault(
            f"token_{reply.status}",
            f"the token service {host} answered {reply.status} to {who}",
            "status",
            False,
            http_status=reply.status,
            code="UNAUTHENTICATED" if reply.status == 401 else "PERMISSION_DENIED",
            request_id=reply.request_id,
        )
        raise FaultError(fault)
    failed = fault_of_reply(reply)
    if failed is not None:
        raise FaultError(failed)
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = {}  # The error would hold the body, and with it a token.
    token = next(
        (answer[name] for name in ("token", "access_token") if isinstance(answer.get(name), str)),
        "",
    )
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        message = f"the token service {host} answered without a token"
        raise FaultError(Fault("no_token", message, "answer", True, request_id=reply.request_id))
    seconds = answer.get("expires_in")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    good_for = max(float(seconds) if is_number else 0.0, LEAST_SECONDS)
    return Token(SecretStr(f"Bearer {token}"), began + good_for - RENEWED_BEFORE)
