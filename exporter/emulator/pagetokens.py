"""Page tokens: opaque, signed, bound to the parameters of their listing, and able to expire."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from hashlib import blake2b

from .status import invalid
from .values import seeded_bytes

_LAYOUT = struct.Struct(">QIQI8s")
_SIGNATURE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a listing.

    Attributes:
        place: The next place in the listing's order.
        begun: How many listings with the same parameters were begun before.
        issued: When the token was made, in milliseconds since 1970; 0 if tokens do not expire.
        serial: How often the listing stayed or began again; it makes its tokens differ.

    """

    place: int = 0
    begun: int = 0
    issued: int = 0
    serial: int = 0


class PageTokens:
    """Makes page tokens and reads them back; another emulator of the same seed can read them."""

    def __init__(self, seed: int) -> None:
        self._key = seeded_bytes(seed, "page tokens", 32)

    def make(self, cursor: Cursor, parameters: str) -> str:
        """A token of some 60 characters for the page that begins at the cursor."""
        payload = _LAYOUT.pack(
            cursor.place, cursor.begun, cursor.issued, cursor.serial, _fingerprint(parameters)
        )
        signed = payload + self._sign(payload)
        return base64.urlsafe_b64encode(signed).decode("ascii").rstrip("=")

    def read(self, token: str, parameters: str, *, now: float, life: float | None) -> Cursor:
        """The cursor of a token.

        `now` is in seconds since 1970, `life` how many seconds a token is valid.

        Raises:
            StatusError: 400, for a forged or expired token, or one of other parameters.

        """
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise invalid("pageToken is not valid") from None
        payload, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if len(payload) != _LAYOUT.size or self._sign(payload) != signature:
            raise invalid("pageToken is not valid")
        place, begun, issued, serial, fingerprint = _LAYOUT.unpack(payload)
        if fingerprint != _fingerprint(parameters):
            raise invalid("pageToken belongs to other parameters")
        if life is not None and now > issued / 1000 + life:
            raise invalid("pageToken has expired")
        return Cursor(place, begun, issued, serial)

    def _sign(self, payload: bytes) -> bytes:
        return blake2b(payload, key=self._key, digest_size=_SIGNATURE_BYTES).digest()


def _fingerprint(parameters: str) -> bytes:
    return blake2b(parameters.encode(), digest_size=8).digest()
