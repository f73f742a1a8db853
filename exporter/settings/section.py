"""The base of every section of the settings: unknown keys are refused, and it is frozen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from exporter.settings.refusal import InWords


class Section(InWords, BaseModel):
    """A section; each key's docstring is its description in the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
