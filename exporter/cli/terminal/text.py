"""Figures and names as text, as the commands write them: those of `exporter.figures`."""

from exporter.figures import age, duration, printable, share, size

__all__ = ["age", "duration", "printable", "share", "size"]
