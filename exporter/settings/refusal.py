"""Refusals in words: what settings raise in place of pydantic's `ValidationError`.

Settings that are made in Python give the same messages as the command line, but without the origin
of a value, which only `load.py` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, model_validator

from exporter.errors import SettingsError
from exporter.settings.keys import Key, dotted, unknown
from exporter.settings.words import reason

_wrapped: ContextVar[bool] = ContextVar("wrapped", default=False)


class InWords(BaseModel):
    """A model that raises `SettingsError` where pydantic's models raise `ValidationError`."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_words(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if _wrapped.get():
            return handler(values)  # For another model or a caller that makes the message.
        with raw_refusals():
            try:
                return handler(values)
            except ValidationError as error:
                raise refusal(error, cls, lambda _key: None) from None


@contextmanager
def raw_refusals() -> Iterator[None]:
    """Let models raise pydantic's `ValidationError` within the block."""
    token = _wrapped.set(True)
    try:
        yield
    finally:
        _wrapped.reset(token)


def refusal(
    error: ValidationError, model: type[BaseModel], place: Callable[[Key], str | None]
) -> SettingsError:
    """Return the error with a line for each wrong value of a model.

    `place` returns the origin of a key's value, None if it is unknown.
    """
    return SettingsError("\n".join(_line(each, model, place) for each in error.errors()))


def _line(problem: Any, model: type[BaseModel], place: Callable[[Key], str | None]) -> str:
    key: Key = problem["loc"]
    name = dotted(key)
    where = ": ".join(part for part in (place(key), name) if part)
    where = f"{where}: " if where else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}{unknown(name, model)}"
    return f"{where}{reason(problem)}."
