"""Bearer tokens: the token service, the metadata service, and the check of every list call."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt

from .status import invalid, unauthenticated
from .values import seeded_bytes

if TYPE_CHECKING:
    from .behaviour import Behaviour, ServiceKey

_LONGEST_JWT = 3600
"""The most seconds from `iat` to `exp` of a JWT."""
_TOKENS_KEPT = 10_000


class TokenService:
    """Issues bearer tokens, and knows which of them are valid."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._expiry: OrderedDict[str, float] = OrderedDict()
        self._calls: dict[str, int] = {}
        self._revoked: set[str] = set()
        self.issued = 0

    def exchange(
        self, body: Any, behaviour: Behaviour, audience: str, now: float
    ) -> dict[str, str]:
        """Answer `POST /iam/v1/tokens`: `iamToken` and `expiresAt`.

        `audience` is the address of this call, `now` is in seconds since 1970.

        Raises:
            StatusError: 400 for a body without credentials, 401 for credentials that are refused.

        """
        match body:
            case {"jwt": str(text)}:
                _verify_jwt(text, behaviour, audience, now)
            case {"yandexPassportOauthToken": str(text)}:
                if text not in behaviour.oauth_tokens:
                    raise unauthenticated("OAuth token is invalid or expired")
            case _:
                raise invalid("one of jwt, yandexPassportOauthToken is required")
        token, expiry = self.issue(behaviour, now)
        moment = datetime.fromtimestamp(expiry, UTC)
        return {
            "iamToken": token,
            # Nine digits, as the real service sends them.
            "expiresAt": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond * 1000 + 321:09}Z",
        }

    def issue(self, behaviour: Behaviour, now: float) -> tuple[str, float]:
        """A new bearer token and its end, in seconds since 1970."""
        self.issued += 1
        token = f"t1.{seeded_bytes(self._seed, f'token|{self.issued}', 24).hex()}"
        self._expiry[token] = now + behaviour.token_life
        if len(self._expiry) > _TOKENS_KEPT:
            self._expiry.popitem(last=False)
        return token, self._expiry[token]

    def revoke(self, token: str) -> None:
        """Refuse a token from now on."""
        self._revoked.add(token)

    def check(
        self, header: str | None, behaviour: Behaviour, now: float, revoke_after: int | None
    ) -> None:
        """Check an `Authorization` header; its token is refused after `revoke_after` calls with it.

        Raises:
            StatusError: 401.

        """
        if not behaviour.require_token:
            return
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("the bearer token is missing")
        if token in self._revoked:
            raise unauthenticated("the token was revoked")
        if token not in behaviour.static_tokens and now >= self._expiry.get(token, 0.0):
            raise unauthenticated("the token is invalid or has expired")
        if revoke_after is not None:
            self._calls[token] = self._calls.get(token, 0) + 1
            if self._calls[token] > revoke_after:
                raise unauthenticated("the token was revoked")


def _verify_jwt(text: str, behaviour: Behaviour, audience: str, now: float) -> None:
    try:
        key = _find_key(text, behaviour)
        claims = jwt.decode(
            text,
            key.public_key,
            algorithms=["PS256"],
            audience=[audience, *behaviour.audiences],
            issuer=key.service_account_id,
            # The times are checked below, against the emulator's clock.
            options={"verify_exp": False, "verify_iat": False, "require": ["iat", "exp"]},
        )
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise unauthenticated(f"JWT is invalid: {error}") from None
    if issued > now or expires <= now:
        raise unauthenticated("JWT is not yet valid, or has expired")
    if expires - issued > _LONGEST_JWT:
        raise unauthenticated("JWT is valid for more than an hour")


def _find_key(text: str, behaviour: Behaviour) -> ServiceKey:
    kid = jwt.get_unverified_header(text).get("kid", "")
    if kid not in behaviour.service_keys:
        raise jwt.InvalidTokenError(f"there is no key {kid!r}")
    return behaviour.service_keys[kid]
