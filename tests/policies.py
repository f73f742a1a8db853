"""Split policies for small worlds, and the one place where a whole run is given another policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.sources.cloud.split import policy
from exporter.sources.cloud.split.policy import SplitPolicy

EARLY = SplitPolicy(
    min_pages_left=1.0,
    min_seconds_left=0.0,
    min_pages_before_down=1.0,
    min_seconds_before_down=0.0,
    max_decoding_share=1e9,
)
"""Splits listings that a run would leave whole for being short."""
SURE = replace(EARLY, enough_in_order=0)
"""Believes an order at once as well, for worlds whose server honours it."""
NO_DESCENT = replace(EARLY, min_pages_before_down=1e9)
"""Never starts a scan from the other end."""


def use(patch: pytest.MonkeyPatch, chosen: SplitPolicy) -> None:
    """Let the runs of this process use a policy, until the test ends."""
    patch.setattr(policy, "DEFAULT", chosen)


def as_python(chosen: SplitPolicy) -> str:
    """Return the statements that let another process use a policy."""
    return f"from exporter.sources.cloud.split import policy; policy.DEFAULT = policy.{chosen!r}"
