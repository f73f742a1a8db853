"""How the emulated service behaves without faults: its speed, its limits, and its features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

STATIC_TOKEN = "t1.emulator-static-token"  # noqa: S105 - it opens nothing but the emulator
"""The bearer token that is accepted by default."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service account's authorized key, as the token service has it.

    Attributes:
        service_account_id: The `iss` a JWT must have.
        public_key: PEM of the RSA public key that must verify it.

    """

    service_account_id: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a well-behaved service does. Times are seconds.

    Attributes:
        latency: The least time of a call.
        jitter: The most time on top of that; it is drawn for each call.
        workers: How many calls are worked on at once; the others wait for their turn.
        rate: Calls per second, all callers together; more are answered with 429.
        burst: Calls that may come at once before `rate` applies; by default those of a second.
        retry_after: The value of `Retry-After` in a 429 answer, or None for no header.
        max_in_flight: Calls handled at the same time; more are answered with 503.
        require_token: Whether list calls need a bearer token.
        static_tokens: Bearer tokens that are valid from the start.
        token_life: How long a token from the token or metadata service is valid.
        service_keys: Authorized keys by their id.
        oauth_tokens: OAuth tokens that the token service exchanges.
        clock_ahead: How far the service's clock is ahead of this machine's; negative if behind.
        audiences: `aud` values accepted in a JWT, besides the emulator's own token address.
        metadata: Whether there is a metadata service that gives tokens.
        page_token_life: How long a page token is valid; None for ever.
        order_by: Whether `orderBy` is honoured, or accepted and ignored.
        descending: Whether ` desc` in it is honoured, accepted and ignored, or refused (400).
        ties: Whether a digest behind other keys is honoured, accepted and ignored, or refused
            (400); or equal images come in a new order at each call.
        misplaced: How many images are out of their place in an order by name or time.
        collation: Whether names sort by their bytes, or by a language's collation.
        reshuffle: Whether unordered listings differ each time they are begun.
        order_seed: Makes unordered listings of two runs over one estate differ.
        gzip: Whether answers are compressed when the caller accepts that.
        pretty: Whether bodies are spread over many lines.
        byte_order_mark: Whether pages begin with one, as behind a careless gateway.
        largest_body: The most bytes of an answer to a list call that the gateway lets pass,
            unpacked; None for any number.
        past_largest: The gateway's answer instead of a larger one: a status, or the body cut off.
        bound_to_size: Whether a page token is valid only with the page size that it came with.
        page_cache_bytes: The most bytes of bodies in a cache, so that a benchmark's second run does
            not measure the emulator.

    """

    latency: float = 0.0
    jitter: float = 0.0
    workers: int | None = None
    rate: float | None = None
    burst: int | None = None
    retry_after: Literal["seconds", "date", "absent"] = "seconds"
    max_in_flight: int | None = None
    require_token: bool = True
    static_tokens: frozenset[str] = frozenset({STATIC_TOKEN})
    token_life: float = 12 * 3600.0
    service_keys: Mapping[str, ServiceKey] = field(default_factory=dict)
    oauth_tokens: frozenset[str] = frozenset({"y0_emulator-oauth-token"})
    clock_ahead: float = 0.0
    audiences: frozenset[str] = frozenset()
    metadata: bool = True
    page_token_life: float | None = None
    order_by: Literal["honoured", "ignored"] = "honoured"
    descending: Literal["honoured", "ignored", "refused"] = "honoured"
    ties: Literal["honoured", "ignored", "refused", "reshuffled"] = "honoured"
    misplaced: int = 0
    collation: Literal["bytes", "words"] = "bytes"
    reshuffle: bool = True
    order_seed: int = 0
    gzip: bool = False
    pretty: bool = False
    byte_order_mark: bool = False
    largest_body: int | None = None
    past_largest: Literal["429", "413", "502", "504", "cut"] = "429"
    bound_to_size: bool = True
    page_cache_bytes: int = 0

    def __post_init__(self) -> None:
        """Raise `ValueError` for a speed or a limit that no service has."""
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ValueError(f"a rate of {self.rate:g} calls per second lets none through")
        if self.max_in_flight is not None and self.max_in_flight < 1:
            raise ValueError(f"with {self.max_in_flight} calls at once it would answer none")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"with {self.workers} workers it would answer nothing")
        for name in ("latency", "jitter"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is no time from 0 up")
