"""Errors of pydantic in words for a person who writes settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHOLE = "a whole number is needed"
_NUMBER = "a number is needed"
_YES_OR_NO = "true or false is needed"
_DURATION = "a duration such as 90s, 15m, 24h or 7d is needed"
_WORDS = {
    "bool_parsing": _YES_OR_NO,
    "bool_type": _YES_OR_NO,
    "finite_number": "a finite number is needed",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "more than {gt:g} is needed",
    "greater_than_equal": "at least {ge} is needed",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "less_than_equal": "at most {le} is needed",
    "list_type": "a list is needed, such as [a, b]",
    "literal_error": "{expected} is needed",
    "model_type": "a section is needed, keys with values",
    "path_type": "a path is needed",
    "string_too_long": "at most {max_length} characters are allowed",
    "string_too_short": "at least {min_length} character is needed",
    "string_type": "a text is needed; a number needs quotes around it",
    "time_delta_parsing": _DURATION,
    "time_delta_type": _DURATION,
    "too_short": "at least {min_length} value is needed",
    "value_error": "{error}",
}


def reason(problem: Mapping[str, Any]) -> str:
    """Return why a value is refused, as a clause; in pydantic's own words if need be."""
    words = _WORDS.get(problem["type"])
    if words is not None:
        return words.format(**problem.get("ctx", {}))
    text = str(problem["msg"])
    return f"{text[:1].lower()}{text[1:].rstrip('.')}"
