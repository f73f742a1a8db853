"""Tokens that are given: in the settings, in a variable, or in a file that someone rotates."""

from __future__ import annotations

import codecs
from pathlib import Path

from pydantic import SecretStr

from exporter.errors import CredentialsError
from exporter.sources.cloud.credentials.token import Token, clean

_MOST_BYTES = 64 * 1024
"""No token and no key is larger; a wrong path must not be read into memory."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, as editors and shells of Windows put them before a text, and what they say."""


class GivenToken:
    """An IAM token as it is; `name` says where it stands. Raises `CredentialsError`."""

    def __init__(self, token: SecretStr, name: str) -> None:
        self.name = name
        self._token = Token(clean(token.get_secret_value(), name))

    def changed(self) -> bool:
        """Never: what is given once stays."""
        return False

    async def fetch(self) -> Token:
        """Return the token."""
        return self._token


class TokenFile:
    """A file with an IAM token, read again when it changes: sidecars rotate it (`README.md`)."""

    def __init__(self, path: Path) -> None:
        self.name = f"the file {path} (credentials.iam_token_file)"
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Say whether the file is another one than at the last `fetch`.

        A file that is missing for a moment, as while it is replaced, has not changed yet.
        """
        mark = _mark(self._path)
        return mark is not None and mark != self._seen

    async def fetch(self) -> Token:
        """Return the file's token; raises `CredentialsError`."""
        # Noted before the reading: a change in between costs one more reading, and is not missed.
        self._seen = _mark(self._path)
        return Token(clean(read_secret(self._path, self.name), self.name))


def read_secret(path: Path, name: str) -> str:
    """Return a secret file's text; `name` is what the error calls it. Raises `CredentialsError`."""
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
        pass  # raised below, for this error holds the content
    except OSError as error:
        raise CredentialsError(
            f"{name} cannot be read ({error.strerror}); check the path, and that this user may "
            "read the file"
        ) from None
    raise CredentialsError(f"{name} is not a text; check the path")


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one version of a file from the next; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
