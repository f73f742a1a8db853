"""Faults on purpose: their kinds, how often and where they happen, and what decides it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .values import coin

_CALLS_REMEMBERED = 100_000


class Fault(StrEnum):
    """A kind of fault; the value is its name on the command line and in `Faults.rates`."""

    HTTP_404 = "404"
    HTTP_429 = "429"
    HTTP_500 = "500"
    HTTP_502 = "502"
    HTTP_503 = "503"
    HTTP_504 = "504"
    HTTP_408 = "408"
    HTTP_409 = "409"
    HTTP_520 = "520"
    HTML_401 = "html-401"
    HTML_403 = "html-403"
    HTML_404 = "html-404"
    UNAVAILABLE_403 = "unavailable-403"
    HTML = "html"
    HTTP_203 = "203"
    HTTP_204 = "204"
    HTTP_206 = "206"
    REDIRECT = "redirect"
    BIG_HEADERS = "big-headers"
    X_GZIP = "x-gzip"
    DEFLATE = "deflate"
    TRUNCATED = "truncated"
    RESET = "reset"
    HANG = "hang"
    SLOW = "slow"
    GARBAGE = "garbage"
    UTF8_VALUE = "utf8-value"
    UTF8_KEY = "utf8-key"
    NULL = "null"
    DOUBLED = "doubled"
    DEEP = "deep"
    RENAMED = "renamed"
    NUMBERS = "numbers"
    OVERSIZE = "oversize"
    GZIP_BOMB = "gzip-bomb"
    REPEATED_TOKEN = "repeated-token"  # noqa: S105 - a page token
    ENDLESS = "endless"
    LOOPING = "looping"
    EMPTY_PAGE = "empty-page"
    SHORT_PAGE = "short-page"
    CHANGED_TWICE = "changed-twice"
    APPEAR = "appear"
    VANISH = "vanish"
    MOVE_TAG = "move-tag"


CHURN = frozenset({Fault.APPEAR, Fault.VANISH, Fault.MOVE_TAG})
"""Faults of images, not of calls: their rates are shares of all images."""
PAGING = frozenset(
    {
        Fault.REPEATED_TOKEN,
        Fault.ENDLESS,
        Fault.LOOPING,
        Fault.EMPTY_PAGE,
        Fault.SHORT_PAGE,
        Fault.CHANGED_TWICE,
    }
)
"""Answers that are valid by themselves, but odd as pages of a listing."""
HOPELESS = frozenset({Fault.LOOPING})
"""Those that no caller can recover from: the listing never ends, or is given up."""
TRANSIENT = frozenset(Fault) - CHURN - PAGING
"""Faults that pass: they hit no call more than `Faults.in_a_row` times."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the whole service answers no call, or refuses all of them.

    Attributes:
        after: The number of calls, of any kind, after which it begins.
        seconds: How long it lasts.
        fault: The fault of every call: `HTTP_429`, `HTTP_502`, `HTTP_503`, `HTTP_504`, `HTML`,
            `RESET` or `HANG`.

    """

    after: int
    seconds: float
    fault: Fault = Fault.RESET


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults, and how often they happen. The same seed makes the same calls fail.

    Attributes:
        rates: Share of calls that a kind of fault hits (for churn, of images), by kind.
        seed: Which calls those are.
        scopes: Hit only calls about these: names of calls (`clouds`, `folders`, `registries`,
            `repositories`, `images`; `tokens`, `metadata`, `endpoints`, which are hit only when
            named here), or ids of what is listed. Empty means every list call.
        in_a_row: The most times that transient faults hit the same call.
        retry_after: Seconds that an injected 429 asks callers to wait; None sends no header.
        drip_seconds: Pause between the pieces of a slow answer.
        drip_bytes: Size of those pieces.
        oversize_bytes: Size of an oversize answer, and of what a gzip bomb unpacks to.
        churn_span: Number of pages of images served, within which all churn happens.
        denied: Ids that are answered with 403, and all that is in them; `*` is the list of clouds.
        unauthorized: Ids that are answered with 401, and all that is in them.
        vanished: Ids that are answered with 404, and all that is in them, after that many calls;
            from then on, they are not on their parents' lists.
        unfound: Ids that are answered with 404, and all that is in them, while they stay on their
            parents' lists.
        hidden: Ids that are on no list, with all that is in them, and that are answered with 404:
            the view of a token without a role. Those of images are as good as deleted.
        spoilt: Ids (full names of repositories) that every list shows as this JSON, or without an
            id if it is empty.
        repeated: Ids of images that each page shows twice; if true, with other tags the second
            time.
        turns: The number of pages of a looping listing; the first follows the last.
        revoke_after: Number of list calls after which a bearer token is refused (401).
        outages: The times in which the service is down; each happens once.

    """

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    scopes: frozenset[str] = frozenset()
    in_a_row: int = 3
    retry_after: float | None = 0.0
    drip_seconds: float = 0.05
    drip_bytes: int = 1024
    oversize_bytes: int = 80 * 1024 * 1024
    churn_span: int = 20
    denied: frozenset[str] = frozenset()
    unauthorized: frozenset[str] = frozenset()
    vanished: Mapping[str, int] = field(default_factory=dict)
    unfound: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    spoilt: Mapping[str, str] = field(default_factory=dict)
    repeated: Mapping[str, bool] = field(default_factory=dict)
    turns: int = 1
    revoke_after: int | None = None
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            Fault(kind)
            if not 0 <= rate <= 1:
                raise ValueError(f"the rate of {kind} must be from 0 to 1, not {rate}")
        for group in (TRANSIENT, PAGING):
            if sum(self.rate(kind) for kind in group) > 1:
                raise ValueError("the rates of one call's faults add up to more than 1")

    def rate(self, kind: Fault) -> float:
        """The rate of one kind; 0 by default."""
        return self.rates.get(kind.value, 0.0)

    def concern(self, call: str, ids: tuple[str, ...]) -> bool:
        """Whether a call of that name about those ids is within `scopes`."""
        if not self.scopes:
            return call not in {"tokens", "metadata", "endpoints"}
        return call in self.scopes or not self.scopes.isdisjoint(ids)


def parse_fault(text: str) -> tuple[str, float]:
    """A fault as the command line gives it, `503=0.05`, as its kind and rate.

    Raises:
        ValueError: The text does not have that form, or there is no fault of that name.

    """
    kind, equals, rate = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not of the form KIND=RATE")
    if kind not in set(Fault):
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(Fault)}")
    return kind, float(rate)


class FaultCoin:
    """Decides which fault hits an attempt of a call, if any.

    Attempts are counted by call, so a call's faults do not depend on the timing of others.
    """

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._calls = 0
        self._began: dict[Outage, float] = {}

    def outage(self, faults: Faults, now: float) -> Fault | None:
        """The outage that hits a call, if the service is down; asking counts as the call.

        `now` is in seconds, by any clock.
        """
        self._calls += 1
        for outage in faults.outages:
            if self._calls > outage.after and now < (
                self._began.setdefault(outage, now) + outage.seconds
            ):
                return outage.fault
        return None

    def transient(self, faults: Faults, call: str) -> Fault | None:
        """The fault that hits this attempt of the call; asking counts as the attempt."""
        attempt, row = self._attempts.pop(call, (0, 0))
        fault = _draw(faults, TRANSIENT, f"{call}|{attempt}") if row < faults.in_a_row else None
        self._attempts[call] = (attempt + 1, row + 1 if fault else 0)
        if len(self._attempts) > _CALLS_REMEMBERED:
            self._attempts.popitem(last=False)
        return fault

    def paging(self, faults: Faults, call: str) -> Fault | None:
        """The oddity of paging that hits the call, at the attempt counted last."""
        attempt, _ = self._attempts.get(call, (1, 0))
        return _draw(faults, PAGING, f"{call}|{attempt}|page")


def _draw(faults: Faults, kinds: frozenset[Fault], key: str) -> Fault | None:
    if not faults.rates:
        return None
    left = coin(faults.seed, key)
    for kind in Fault:
        if kind in kinds:
            left -= faults.rate(kind)
            if left < 0:
                return kind
    return None
