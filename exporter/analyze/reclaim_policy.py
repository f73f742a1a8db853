"""Which images to ask about: what the flags of `reclaim` say, and the vendor's lifecycle rules."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from exporter.analyze.lifecycle import Rule, period_text
from exporter.errors import SettingsError
from exporter.wording import option, switch

_MOST = 2**63 - 1


@dataclass(frozen=True)
class ReclaimPolicy:
    """The images that match all of what is set; at least one thing must be.

    - `untagged`: it has no tag.
    - `older_than`: it was created longer ago than this when the snapshot was started. An image that
      was created exactly so long ago, or without a time, is not older.
    - `tags`: it has tags, and each matches one of these globs.
    - `repositories`: one of these globs matches the repository's path, or its full name.
    - `registries`: it is in one of these registries, by id.
    - `rules`: every one of the lifecycle rules that filters it calls for deleting it, and one does.
    - `keep_last`: of the images that match all the rest, the newest N of each repository are
      spared. Later is newer; at the same time, the greater id; an image without a time is oldest.

    Case counts in globs, and `*` matches slashes too, as in `scope.repositories`. Raises
    `SettingsError` for values that cannot be used.
    """

    untagged: bool = False
    older_than: timedelta | None = None
    keep_last: int | None = None
    tags: Sequence[str] = ()
    repositories: Sequence[str] = ()
    registries: Sequence[str] = ()
    rules: Sequence[Rule] = ()

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        if not any(self._is_set(getattr(self, field.name)) for field in fields(self)):
            raise SettingsError(
                f"Nothing says which images: use {switch('untagged')}, {option('older_than')}, "
                f"{option('keep_last')}, {option('tag')}, {option('repository')}, "
                f"{option('registry')} or {option('policy')}."
            )
        if self.keep_last is not None and not 0 <= self.keep_last <= _MOST:
            raise SettingsError(
                f"{option('keep_last')} {self.keep_last}: a number of 0 or more is needed."
            )
        if self.older_than is not None and self.older_than < timedelta(0):
            raise SettingsError(
                f"{option('older_than')} {period_text(self.older_than)}: a time of 0 or more is "
                "needed."
            )

    @staticmethod
    def _is_set(value: object) -> bool:
        return bool(value) if isinstance(value, bool | Sequence) else value is not None

    def flags(self) -> str:
        """Return all but the rules, as it is written on the command line."""
        return " ".join(self._flags())

    def _flags(self) -> Iterator[str]:
        if self.untagged:
            yield "--untagged"
        if self.older_than is not None:
            yield f"--older-than {period_text(self.older_than)}"
        if self.keep_last is not None:
            yield f"--keep-last {self.keep_last}"
        for flag, values in (
            ("--tag", self.tags),
            ("--repository", self.repositories),
            ("--registry", self.registries),
        ):
            yield from (f"{flag} {shlex.quote(value)}" for value in values)


def cutoff(started_at: datetime, period: timedelta | None) -> datetime | None:
    """Return the time before which an image is older than a period; None without a period."""
    if period is None:
        return None
    try:
        return started_at - period
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
