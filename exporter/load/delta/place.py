"""The folder or the bucket that Delta tables are in: files, deltalake's options, and the lock."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from deltalake.exceptions import DeltaError

from exporter.errors import LoadError, NoConditionsError, OutputError
from exporter.leftovers import removed_at_once
from exporter.load.machine import lock_folder
from exporter.load.parts import OpenPart
from exporter.storage.access import Access
from exporter.storage.destination import Entry
from exporter.storage.durable import fsync, make_folder, sync
from exporter.storage.lease import Lease
from exporter.storage.local import Folder
from exporter.storage.lock import LOAD, Lock, NoLocksError
from exporter.storage.object_store import Bucket
from exporter.storage.os_errors import known
from exporter.storage.store_errors import why

log = structlog.get_logger()

_DRAWING = re.compile(r"\x1b\[[\d;]*m|\s+|↳")
_STATUS = re.compile(r"(status code) (\d{3})")
_RETRIES = {"max_retries": "5", "retry_timeout": "30s", "connect_timeout": "5s", "timeout": "300s"}


class Place:
    """The place of the tables of one schema; methods raise `LoadError`.

    `access` is how to reach a bucket.
    """

    def __init__(
        self, name: str, destination: Folder | Bucket, access: Access | None = None
    ) -> None:
        self.name = name
        self._destination = destination
        self._access = access or Access()
        self._held = ExitStack()
        self.is_exclusive = False
        """Whether the lock is held, and reaches every other loader."""

    def uri(self, table: str) -> str:
        """Return the place of a table in deltalake's words."""
        if isinstance(self._destination, Folder):
            return str(self._destination.root.absolute() / table)
        return f"{self._destination.url}/{table}"

    def lock(self) -> None:
        """Keep other loaders out until `unlock`; raises `LockedError` if one is there."""
        with self._held:
            if isinstance(self._destination, Folder):
                with self.errors("lock"):
                    self.is_exclusive = _lock_folder(self._held, self._destination.root, self.name)
            else:
                _lease(self._held, self._destination, self.name)
                self.is_exclusive = True
            self._held = self._held.pop_all()

    def unlock(self) -> None:
        """Let other loaders in."""
        self._held.close()

    def confirm(self) -> None:
        """Raise `LockedError` if the lock was lost."""
        if isinstance(self._destination, Bucket):
            self._destination.confirm("")

    def files(self, table: str = "") -> list[Entry]:
        """Return the files below a table, those of its log among them."""
        with self.errors(f"list {table}".rstrip()):
            return self._destination.list(table)

    def read(self, path: str) -> bytes | None:
        """Return a small file; None if it is missing."""
        with self.errors(f"read {path} in"):
            return self._destination.read(path)

    def delete(self, path: str) -> None:
        """Remove a file; a missing one is no error."""
        with self.errors(f"remove {path} in"):
            self._destination.delete(path)

    @contextmanager
    def open_part(self, path: str, known_as: str) -> Iterator[OpenPart]:
        """Open a new file for writing; it is there, whole and durable, when the block ends."""
        destination = self._destination
        if isinstance(destination, Folder):
            target = destination.root / path
            with self._os_errors(f"write {path} in"):
                make_folder(target.parent)
                with target.open("xb") as file:
                    yield OpenPart(known_as, file)
                    file.flush()
                    sync(file.fileno())
                fsync(target.parent)
            return
        with self._os_errors("write a temporary file for"):
            descriptor, name = tempfile.mkstemp(suffix=".parquet")
            local = Path(name)
            with removed_at_once(local):
                try:
                    with os.fdopen(descriptor, "wb") as file:
                        yield OpenPart(known_as, file)
                    with self.errors(f"write {path} in"):
                        destination.move_in(local, path)
                finally:
                    local.unlink(missing_ok=True)

    @property
    def options(self) -> dict[str, str] | None:
        """Deltalake's storage options: for a bucket, what its access says."""
        if isinstance(self._destination, Folder):
            return None
        access = self._access
        options = {"AWS_REGION": access.region, **_RETRIES}
        bucket = urlsplit(self._destination.url).netloc
        hosted = not access.path_style and "." not in bucket
        options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = str(hosted).lower()
        if access.endpoint is not None:
            parts = urlsplit(access.endpoint)
            host = f"{parts.scheme}://{bucket}.{parts.netloc}" if hosted else access.endpoint
            options["AWS_ENDPOINT_URL"] = options["AWS_ENDPOINT_URL_S3"] = host
            if parts.scheme == "http" and parts.hostname:
                # A proxy would look for a loopback address on its own machine.
                options["AWS_ALLOW_HTTP"] = "true"
                options["proxy_url"], options["proxy_excludes"] = (
                    "http://127.0.0.1:9",
                    parts.hostname,
                )
        if access.key is not None:
            options["AWS_ACCESS_KEY_ID"] = access.key.access_key_id.get_secret_value()
            options["AWS_SECRET_ACCESS_KEY"] = access.key.secret_access_key.get_secret_value()
            if access.key.session_token is not None:
                options["AWS_SESSION_TOKEN"] = access.key.session_token.get_secret_value()
        return options

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn errors of the place and of deltalake into `LoadError`; `doing` completes "Cannot".

        Texts of the libraries are not quoted where they may hold a signed request.
        """
        with self._os_errors(doing):
            try:
                yield
            except OutputError as error:
                raise LoadError(str(error).replace("output.url", "load.to")) from None
            except DeltaError as error:
                raise LoadError(f"Cannot {doing} {self.name}: {self._why(error)}.") from None

    @contextmanager
    def _os_errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = known(error, "load.to") or self._why(error)
            raise LoadError(f"Cannot {doing} {self.name}: {reason}.") from None

    def _why(self, error: Exception) -> str:
        text = " ".join(_DRAWING.sub(" ", str(error)).split())
        if "Error performing" in text:  # Of the bucket: what it says may be a signed request.
            return why(_STATUS.sub(r"\1: \2", text), "s3", self._access)
        for mark, code in (("No space left", 28), ("Permission denied", 13), ("Read-only", 30)):
            if mark in text:
                return known(OSError(code, mark), "load.to")
        return f"{text.rstrip('.')}; look at the table with another program, or move it away"


def _lock_folder(held: ExitStack, root: Path, name: str) -> bool:
    try:
        held.enter_context(Lock(root, LOAD, name))
    except NoLocksError:
        log.warning(
            "lock_is_not_possible",
            message=f"{name} is on a file system without locks: see to it that only one load runs "
            "there.",
        )
        return False
    return True


def _lease(held: ExitStack, bucket: Bucket, name: str) -> None:
    """Take the bucket's lock; one that a killed load of this machine left costs no waiting."""
    lock = held.enter_context(Lock(lock_folder(bucket.identity), LOAD, name))
    lease = Lease(bucket, lock.holder, lock.place())
    try:
        has_conditions = asyncio.run(lease.take(0))
    except NoConditionsError:
        has_conditions = False
    except OutputError as error:
        raise LoadError(str(error).replace("output.url", "load.to")) from None
    if not has_conditions:
        raise LoadError(
            f"Cannot load into {name}: its service takes no conditional writes, by which Delta "
            "keeps two writers apart; name a bucket of a service that does, or a folder."
        )
    held.callback(lease.release)
    lease.keep(lambda: None)
    before = bucket.confirm
    held.callback(setattr, bucket, "confirm", before)
    bucket.confirm = lease.confirm
