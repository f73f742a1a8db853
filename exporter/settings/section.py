"""The base of every section of the settings: unknown keys are refused, and it is frozen."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from exporter.settings.refusal import InWords


class Section(InWords, BaseModel):
    """A section; each key's docstring is its description in the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the descriptions.

        Pydantic's `use_attribute_docstrings` would read them whenever the program starts, which
        takes longer than everything else that makes the models.
        """
        schema = handler(core_schema)
        properties: dict[str, dict[str, Any]] = handler.resolve_ref_schema(schema)["properties"]
        for attribute, text in _docstrings(cls):
            key = properties.get(cls.model_fields[attribute].alias or attribute)
            # Pydantic leaves out some keys, and a description that is the section's own.
            if key is not None and handler.resolve_ref_schema(key).get("description") != text:
                key["description"] = text
        return schema


def _docstrings(cls: type[BaseModel]) -> list[tuple[str, str]]:
    """Return the class's own attributes that have a docstring, each with its text."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    return [
        (attribute.target.id, inspect.cleandoc(str(text.value.value)))
        for attribute, text in pairwise(getattr(definition, "body", []))
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    ]
