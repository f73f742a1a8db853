"""The pulls that a registry allows, as Docker Hub counts them: so many in six hours.

A run does not sleep until there are more. Once they are used up, it reads no more manifests, and
their listings say so; what is cached, and what HEAD tells, costs no pull.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from exporter.errors import StatusError
from exporter.http.types import Call

_COUNT = re.compile(r"\s*(\d+)\s*(?:;|$)")
_WINDOW = re.compile(r";\s*w=(\d+)")
USED_UP = "the registry allows no more pulls for now"


class Quota:
    """What is left of one registry's pulls; None until it says so, as most never do.

    `limit` is how many it allows in so many `seconds`.
    """

    def __init__(self) -> None:
        self.left: int | None = None
        self.limit: int | None = None
        self.seconds: int | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Note what an answer says."""
        count = _COUNT.match(headers.get("ratelimit-remaining", ""))
        if count is None:
            return
        told = int(count[1])
        # Calls under way are counted here already.
        self.left = told if self.left is None else min(self.left, told)
        stated = headers.get("ratelimit-limit", "")
        limit, window = _COUNT.match(stated), _WINDOW.search(stated)
        self.limit = int(limit[1]) if limit is not None else self.limit
        self.seconds = int(window[1]) if window is not None else self.seconds

    @property
    def window(self) -> str:
        """The time that the quota is for: ` in 6 hours`; empty where it is not known."""
        return "" if self.seconds is None else f" in {self.seconds / 3600:g} hours"

    def exhausted(self) -> None:
        """Note that a pull was refused."""
        self.left = 0

    def take(self, call: Call) -> None:
        """Count a pull that is about to be sent; raises `StatusError` if none is left."""
        if self.left is None:
            return
        if self.left <= 0:
            raise StatusError(
                f"{USED_UP}: its quota{self.window} is used up, so this manifest was not read; "
                "run again later, or with credentials that have a larger quota",
                call=f"GET {call.path}",
                scope=call.scope,
                http_status=429,
                code="FAILED_PRECONDITION",
                calls=0,
            )
        self.left -= 1
