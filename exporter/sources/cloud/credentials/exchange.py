"""Tokens by exchange: an OAuth token or a JWT for an IAM token (`README.md`, Tokens)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from exporter.errors import CredentialsError, UnansweredError
from exporter.http.dates import parse_rfc_3339
from exporter.http.faults import Fault, FaultError
from exporter.http.reply import Reply
from exporter.http.retry import Sleep, ask
from exporter.http.silence import had_connection, is_silence, puts_off
from exporter.http.transport import Transport
from exporter.sources.cloud.credentials.token import Token, clean, read_field
from exporter.sources.cloud.endpoints import Directory

PATH = "/iam/v1/tokens"
TIMEOUT = 30.0
"""The most seconds that one exchange may take."""
MOST_BYTES = 1 << 20

TOLERATED_APART = 10.0
"""Seconds by which two clocks may differ, or an answer's `Date` be late, before it matters."""

_REFUSED = frozenset({400, 401, 403})


class Exchange:
    """The call that exchanges credentials for a token; it is sent at most `attempts` times.

    `clock_ahead` is how many seconds the service's clock is ahead of this machine's, by its last
    answer. It is 0 if they differ by no more than `TOLERATED_APART`.
    """

    def __init__(
        self, directory: Directory, transport: Transport, *, attempts: int, sleep: Sleep
    ) -> None:
        self._directory = directory
        self._transport = transport
        self._attempts = attempts
        self._sleep = sleep
        self.clock_ahead = 0.0

    @property
    def audience(self) -> str:
        """The `aud` that a JWT for this call must have."""
        return self._directory.token_audience

    async def token(self, body: Mapping[str, SecretStr], source: str) -> Token:
        """Exchange `body` for a token; `source` names the credentials in errors.

        Raises `CredentialsError` if they are refused, or if no answer comes.
        """
        url = await self._directory.base("iam") + PATH

        async def send() -> Reply:
            reply = await self._transport.send(
                url, timeout=TIMEOUT, max_bytes=MOST_BYTES, post=body
            )
            self._compare_clocks(reply)
            return reply

        answer = await ask_for_token(
            send,
            call=f"POST {url}",
            source=source,
            advice="check that `domain` and `endpoints.iam` name this cloud, and run again",
            attempts=self._attempts,
            sleep=self._sleep,
        )
        return Token(
            clean(str(read_field(answer, "iamToken") or ""), f"the exchange of {source}"),
            self._left(read_field(answer, "expiresAt")),
        )

    def _compare_clocks(self, reply: Reply) -> None:
        if reply.date is not None:
            ahead = reply.date - time.time()
            self.clock_ahead = ahead if abs(ahead) > TOLERATED_APART else 0.0

    def _left(self, expires: object) -> float | None:
        """Return for how many seconds a token is valid, given its end by the service's clock.

        None if that cannot be told: such a token is used until the cloud refuses it.
        """
        moment = parse_rfc_3339(expires) if isinstance(expires, str) else None
        left = 0.0 if moment is None else moment - (time.time() + self.clock_ahead)
        return left if left > 0 else None


class OauthToken:
    """A user's OAuth token, exchanged; `name` says where it was set. Raises `CredentialsError`."""

    def __init__(self, token: SecretStr, name: str, exchange: Exchange) -> None:
        self.name = name
        self._body = {"yandexPassportOauthToken": clean(token.get_secret_value(), name)}
        self._exchange = exchange

    def changed(self) -> bool:
        """Return False: only the token's age calls for another one."""
        return False

    async def fetch(self) -> Token:
        """Return a new token; raises `CredentialsError`."""
        return await self._exchange.token(self._body, self.name)


async def ask_for_token(
    send: Callable[[], Awaitable[Reply]],
    *,
    call: str,
    source: str,
    advice: str,
    attempts: int,
    sleep: Sleep,
) -> dict[str, object]:
    """Send a request for a token until it is answered; return the answer's JSON object.

    Raises `CredentialsError` if the answer is a refusal, or if no usable answer comes: then it is
    `UnansweredError` if the cause may be an outage, and `advice` says what to do. It never raises
    an `ApiError`: the listing that waits for the token would count that as its own failure.
    """
    try:
        reply = await ask(send, attempts=attempts, sleep=sleep, what=f"a token from {source}")
        answer = _read_object(reply)
    except FaultError as error:
        fault = error.fault
    else:
        return answer
    # The service's own message is left out: it may quote the refused credentials.
    status = f"{fault.http_status} {fault.code}".rstrip()
    if fault.http_status in _REFUSED and fault.code and not fault.passing:
        raise CredentialsError(
            f"the cloud refuses {source}: {call} was answered {status}; "
            "check that the key or token is whole, not deleted, and of this cloud"
        )
    what = f"it was answered {status}" if fault.http_status else fault.message
    tried = f", and asking {attempts} times did not help" if fault.passing and attempts > 1 else ""
    where = f" (request id {fault.request_id})" if fault.request_id else ""
    if fault.advice and not fault.http_status:
        advice = f"{fault.advice}; {advice}"
    text = f"no token came from {source}: {call}{where}: {what}{tried}; {advice}"
    if puts_off(fault) or is_silence(fault, answered_before=False):
        raise UnansweredError(
            text,
            host="://".join(urlsplit(call.rpartition(" ")[2])[:2]),
            message=f"no token came from {source}: {what}"
            + (f"; {fault.advice}" if fault.advice and not fault.http_status else ""),
            connected=had_connection(fault),
            http_status=fault.http_status,
            put_off=puts_off(fault),
            retry_after=fault.retry_after,
        )
    raise CredentialsError(text)


def _read_object(reply: Reply) -> dict[str, object]:
    """Return a token answer's JSON object; raises `FaultError`."""
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None  # that error would contain the body, and so a token
    if isinstance(answer, dict):
        return answer
    raise FaultError(
        Fault(
            "not_json",
            "the answer is not JSON",
            kind="answer",
            passing=False,
            request_id=reply.request_id,
        )
    )
