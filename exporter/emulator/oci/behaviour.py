"""How the emulated registry answers: its speed, its limits, whom it lets in, and its quirks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from exporter.emulator.faults import TRANSIENT, Fault, Faults
from exporter.emulator.values import coin

from .shape import Oddity

USER, PASSWORD = "alice", "emulator-password"
"""Who is let in where not everybody is."""


class Quirk(StrEnum):
    """A way in which registries differ from the specification, or from each other.

    Its rate is a share: of all lists for those of `LISTS`, of the empty repositories for those of
    `EMPTY`, of all content for `wrong-content`, and else of all repositories. Those from
    `catalog-401` on are of the whole registry: on with 1, and off without.
    """

    LINK_ELSEWHERE = "link-elsewhere"
    NEXT_PAGE = "next-page"
    NO_LINK = "no-link"
    N_400 = "n-400"
    N_405 = "n-405"
    N_413 = "n-413"
    N_REFUSED = "n-refused"
    SHORT_PAGES = "short-pages"
    REPEATED_LINK = "repeated-link"
    GONE_CURSOR = "gone-cursor"
    NULL_TAGS = "null-tags"
    NAME_UNKNOWN = "name-unknown"
    JUNK_TAGS = "junk-tags"
    NO_DIGEST = "no-digest"
    WRONG_DIGEST = "wrong-digest"
    HEAD_429 = "head-429"
    HEAD_405 = "head-405"
    REPOSITORY_401 = "repository-401"
    REPOSITORY_403 = "repository-403"
    TOKEN_403 = "token-403"  # noqa: S105 - no password
    WRONG_CONTENT = "wrong-content"
    CATALOG_401 = "catalog-401"
    CATALOG_403 = "catalog-403"
    CATALOG_404 = "catalog-404"
    CATALOG_SLOW = "catalog-slow"
    ODD_CHALLENGES = "odd-challenges"
    PLACEHOLDER_SCOPE = "placeholder-scope"
    ACCESS_TOKEN = "access-token"  # noqa: S105 - no password
    EXPIRED_400 = "expired-400"
    RETRY_IN_BODY = "retry-in-body"
    RETRY_AT = "retry-at"
    REDIRECTS = "redirects"


LISTS = (
    Quirk.LINK_ELSEWHERE,
    Quirk.NEXT_PAGE,
    Quirk.NO_LINK,
    Quirk.N_400,
    Quirk.N_405,
    Quirk.N_413,
    Quirk.N_REFUSED,
    Quirk.SHORT_PAGES,
    Quirk.REPEATED_LINK,
    Quirk.GONE_CURSOR,
)
"""Quirks of a list of repositories or tags; a list has one at most."""
EMPTY = (Quirk.NULL_TAGS, Quirk.NAME_UNKNOWN)
"""Ways to say that a repository has no tags, besides an empty list."""
DENIED = (Quirk.REPOSITORY_401, Quirk.REPOSITORY_403, Quirk.TOKEN_403)
"""Ways to refuse a repository; the last needs a token service."""
FAULTS = TRANSIENT - {
    # What would be an answer from a registry: nothing to ask for again.
    Fault.HTTP_404,
    Fault.HTTP_409,
    Fault.HTML_401,
    Fault.HTML_403,
    Fault.HTML_404,
    Fault.UNAVAILABLE_403,
    Fault.REDIRECT,
    # Spoilt fields of the cloud's resources.
    Fault.UTF8_VALUE,
    Fault.UTF8_KEY,
    Fault.RENAMED,
    Fault.NUMBERS,
}
"""The faults of the network and of gateways that a registry has as well."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a registry answers. Times are seconds.

    Attributes:
        latency: The least time of a call.
        jitter: The most time on top of that; it is drawn for each call.
        workers: How many calls are worked on at once; the others wait for their turn.
        rate: Calls per second, all callers together; more are answered with 429.
        burst: Calls that may come at once before `rate` applies; by default those of a second.
        retry_after: The value of `Retry-After` in a 429 answer, or None for no header.
        max_in_flight: Calls handled at the same time; more are answered with 503.
        access: Whom it lets in: everybody, or `USER` with a password, or with a token for it.
        token_life: How long a token is valid.
        token_calls: After how many calls a token is not valid any more.
        quota: How many manifests may be read, as Docker Hub counts them.
        flavor: Whether it is plain, or Harbor with an API of its own.
        prefix: The path before `/v2/`.
        most: The most names on a page; it refuses to be asked for more.
        slow: How long the list of repositories takes with the quirk `catalog-slow`.
        quirks: The share that each quirk concerns, by its name.
        seed: What is concerned.

    """

    latency: float = 0.0
    jitter: float = 0.0
    workers: int | None = None
    rate: float | None = None
    burst: int | None = None
    retry_after: Literal["seconds", "date", "absent"] = "seconds"
    max_in_flight: int | None = None
    access: Literal["anonymous", "basic", "token"] = "anonymous"
    token_life: float = 300.0
    token_calls: int | None = None
    quota: int | None = None
    flavor: Literal["distribution", "harbor"] = "distribution"
    prefix: str = ""
    most: int = 1000
    slow: float = 2.0
    quirks: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no registry is like."""
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ValueError(f"a rate of {self.rate:g} calls per second lets none through")
        for name in ("max_in_flight", "workers", "token_calls", "most"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} starts at 1")
        for kind, rate in self.quirks.items():
            Quirk(kind)
            if not 0 <= rate <= 1:
                raise ValueError(f"the share of {kind} must be from 0 to 1, not {rate}")

    def has(self, quirk: Quirk, key: str = "") -> bool:
        """Whether a quirk concerns something, a repository by its name, or the whole registry."""
        rate = self.quirks.get(quirk.value, 0.0)
        return rate > 0 and coin(self.seed, f"{quirk}|{key}") < rate

    def one_of(self, quirks: tuple[Quirk, ...], key: str) -> Quirk | None:
        """The one of several quirks that concerns something, if any does."""
        left = coin(self.seed, f"{quirks[0]}…|{key}") if self.quirks else 1.0
        for quirk in quirks:
            left -= self.quirks.get(quirk.value, 0.0)
            if left < 0:
                return quirk
        return None


def parse_quirks(texts: Iterable[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Oddities and quirks as the command line gives them, `no-digest` or `no-digest=0.5`.

    Returns the shares of oddities of what is pushed, and those of quirks.

    Raises:
        ValueError: There is no such quirk, or its share is not a number.

    """
    oddities: dict[str, float] = {}
    quirks: dict[str, float] = {}
    for text in texts:
        name, equals, share = text.partition("=")
        if name in set(Oddity):
            oddities[name] = float(share) if equals else 1.0
        elif name in set(Quirk):
            quirks[name] = float(share) if equals else 1.0
        else:
            raise ValueError(
                f"there is no quirk {name!r}; there are {', '.join((*Oddity, *Quirk))}"
            )
    return oddities, quirks


def check_faults(faults: Faults) -> None:
    """Refuse faults that only the cloud has.

    Raises:
        ValueError: A fault is not one of `FAULTS`.

    """
    for kind in faults.rates:
        if kind not in FAULTS:
            named = ", ".join(one for one in Fault if one in FAULTS)
            raise ValueError(f"a registry has no fault {kind!r}; there are {named}")
