"""Tokens as they are: in the settings, in a variable, or in a file whose content may change."""

from __future__ import annotations

import codecs
from pathlib import Path

from pydantic import SecretStr

from exporter.errors import CredentialsError
from exporter.sources.cloud.credentials.token import Token, clean

_MOST_BYTES = 64 * 1024
"""The most bytes of a token or a key, so that a wrong path is not read into memory."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks that editors and shells of Windows put before a text, with their encodings."""


class GivenToken:
    """An IAM token as it is; `name` says where it was set. Raises `CredentialsError`."""

    def __init__(self, token: SecretStr, name: str) -> None:
        self.name = name
        self._token = Token(clean(token.get_secret_value(), name))

    def changed(self) -> bool:
        """Return False: the token stays the same."""
        return False

    async def fetch(self) -> Token:
        """Return the token."""
        return self._token


class TokenFile:
    """A file with an IAM token, read again if it changes: sidecars rotate it (`README.md`)."""

    def __init__(self, path: Path) -> None:
        self.name = f"the file {path} (credentials.iam_token_file)"
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Return whether the file has changed since the last `fetch`.

        A file that is missing for a moment, while it is replaced, has not changed yet.
        """
        mark = _mark(self._path)
        return mark is not None and mark != self._seen

    async def fetch(self) -> Token:
        """Return the file's token; raises `CredentialsError`."""
        # Noted before the file is read, so a change in between is not missed.
        self._seen = _mark(self._path)
        return Token(clean(read_secret(self._path, self.name), self.name))


def read_secret(path: Path, name: str) -> str:
    """Return the text of a secret file; `name` names it in errors. Raises `CredentialsError`."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise CredentialsError(f"{name} is larger than any token or key; check the path")
        for mark, encoding in _MARKS:
            if content.startswith(mark):
                return content.removeprefix(mark).decode(encoding)
        return content.decode()
    except UnicodeDecodeError:
        pass  # raised below, because this error contains the content
    except OSError as error:
        raise CredentialsError(
            f"{name} cannot be read ({error.strerror}); check the path, and that this user may "
            "read the file"
        ) from None
    raise CredentialsError(f"{name} is not a text; check the path")


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return a value that differs between versions of a file; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
