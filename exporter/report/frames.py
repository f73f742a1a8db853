"""What all pictures share: the widths they are drawn for, the font, and the page's colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]
"""A Vega or Vega-Lite spec."""

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
ACCENT, TINT, GREY = "var(--accent)", "var(--tint)", "var(--grey)"
TILE, PAPER = "var(--tile)", "var(--paper)"
"""The colours of the style sheet, light or dark."""


@dataclass(frozen=True)
class Frame:
    """The width of a picture in CSS pixels, and whether it is for a small screen."""

    name: str
    width: int

    @property
    def is_narrow(self) -> bool:
        """Whether there is room for little."""
        return self.name == "narrow"


FRAMES = (Frame("wide", 960), Frame("narrow", 342))
