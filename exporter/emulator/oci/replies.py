"""Errors as registries answer them: JSON with a code and a message (distribution-spec, 1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
_CODES = {
    400: "UNSUPPORTED",
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "NAME_UNKNOWN",
    405: "UNSUPPORTED",
    413: "TOO_MANY_TAGS_REQUESTED",
    429: "TOOMANYREQUESTS",
}


class RegistryError(Exception):
    """An error, as the answer to a call; `code` is by the status if it is not given."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        headers: CIMultiDict[str] | Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or _CODES.get(status, "UNKNOWN")
        self.message = message
        self.headers = CIMultiDict(headers or {})

    def answer(self) -> web.Response:
        """It as an answer."""
        error = {"code": self.code, "message": self.message, "detail": None}
        return web.Response(
            status=self.status,
            body=orjson.dumps({"errors": [error]}),
            content_type=JSON,
            headers=self.headers,
        )


def as_json(content: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with JSON in it."""
    return web.Response(body=orjson.dumps(content), content_type=JSON, headers=headers)
