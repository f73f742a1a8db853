"""The coverage of one repository: the listings of its tags, manifests, configs and untagged."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.pipeline import Cost
from exporter.errors import ApiError, StatusError, is_denied, is_not_found
from exporter.sources.oci.batches import Result, costs, error_of
from exporter.sources.oci.state import Repository
from exporter.wording import number

MOST_SHOWN = 5
"""Tags or digests that a message names."""
GONE = "gone: listed first, then not found, and no longer listed"
NOT_LISTED = "the registry lists only manifests with a tag, so others cannot be seen"


class Entries:
    """The coverage entries of a repository; only that of its tags is there from the beginning.

    `known` says whether a list named the repository.
    """

    def __init__(self, repository: Repository, *, known: bool) -> None:
        self._repository = repository
        self._known = known
        # Nothing else finds out whether what is not found is gone, so no entry is `known`.
        self.tags = repository.registry.coverage.open("tags", repository.name, known=False)
        self.manifests: ListingStatus | None = None
        self._configs: ListingStatus | None = None
        self._untagged: ListingStatus | None = None
        self._failed: ApiError | None = None
        self._failures = 0
        self._configs_failed: ApiError | None = None

    @property
    def is_missing(self) -> bool:
        """Whether no list named the repository, and it was not found."""
        return not self._known and self.tags.error_code == "NOT_FOUND"

    def open(self) -> None:
        """Enter the others, once it is known that there is anything to list."""
        if self.manifests is not None:
            return
        coverage, name = self._repository.registry.coverage, self._repository.name
        self.manifests = coverage.open("manifests", name, known=False)
        self.manifests.begin()
        self._configs = coverage.open("configs", name)
        self._untagged = coverage.open("untagged", name)
        if not self._repository.registry.is_harbor:
            self._untagged.skip(NOT_LISTED)

    def tags_listed(self, error: ApiError | None) -> None:
        """Note how the list of tags ended; a listed repository that is not found has none."""
        if error is None:
            return
        if self._known and not self.tags.pages and is_not_found(error):
            self.open()
        else:
            self.tags.fail(error)

    def batch_ended(self, results: Sequence[Result]) -> None:
        """Count what a batch has cost."""
        _count(self.manifests, costs(results, "manifests"), len(results))
        _count(self._configs, costs(results, "configs"))

    def fail(self, error: ApiError) -> None:
        """Note that a manifest could not be read; one that is not denied may be read later."""
        self._failures += 1
        if self._failed is None or (is_denied(self._failed) and not is_denied(error)):
            self._failed = error

    def fail_not_found(self, tags: Sequence[str]) -> None:
        """Note tags that are still listed, and not found."""
        self.fail(self._not_found(tags, "still listed and not found"))

    def note_config(self, result: Result) -> None:
        """Note what became of the config of a manifest, if it was read."""
        if self._configs is None or "config" not in result:
            return
        if "config_failed" in result:
            self._configs_failed = self._configs_failed or error_of(result["config_failed"])
        elif not result["has_config"]:
            self._configs.lose([f"config {result['config']} (it is not found)"])
        else:
            self._configs.items += 1
            self._configs.rows += 1

    def end(self) -> None:
        """End the listings, each as it went."""
        repository = self._repository
        self.tags.rows = sum(map(len, repository.tags.values()))
        if self.tags.status is None:
            self.tags.complete()
        if self.manifests is not None:
            self._end_manifests(self.manifests)
        untagged = self._untagged
        if untagged is not None and untagged.status is None:
            untagged.begin()
            untagged.rows = sum(not tags for tags in repository.tags.values())
            untagged.complete()
        if self._configs is not None:
            self._end_configs(self._configs)

    def _end_manifests(self, manifests: ListingStatus) -> None:
        gone = self._repository.gone
        manifests.rows = self._repository.images
        if self._failed is not None:
            if self._failures > 1:
                count = number(self._failures, "manifest")
                self._failed.reason = (
                    f"{count} could not be read, among them: {self._failed.reason}"
                )
            manifests.fail(self._failed)
        elif gone:
            manifests.vanish(self._not_found(gone, GONE))
        else:
            manifests.complete()

    def _end_configs(self, configs: ListingStatus) -> None:
        if not self._repository.registry.with_configs:
            configs.skip("oci.configs is false")
        elif self._configs_failed is not None:
            configs.fail(self._configs_failed)
        else:
            configs.complete()

    def _not_found(self, tags: Sequence[str], what: str) -> StatusError:
        named = ", ".join(sorted(tags)[:MOST_SHOWN])
        more = f" and {len(tags) - MOST_SHOWN} more" if len(tags) > MOST_SHOWN else ""
        calls = self._repository.registry.calls
        verb = "is" if len(tags) == 1 else "are"
        return StatusError(
            f"{number(len(tags), 'tag')} {verb} {what} ({named}{more})",
            call=f"GET {calls.manifest(self._repository.path, tags[0]).path}",
            scope=f"manifests of {self._repository.name}",
            http_status=404,
            code="NOT_FOUND",
            calls=0,
        )


def _count(entry: ListingStatus | None, cost: Cost, items: int = 0) -> None:
    if entry is not None:
        entry.pages += cost.pages
        entry.items += items
        entry.calls += cost.calls
        entry.retries += cost.retries
