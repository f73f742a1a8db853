"""The scopes that the scans of one registry have not proven complete, and list again."""

from __future__ import annotations

import structlog

from exporter.sources.cloud.split.check import SplitCheck
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import listable
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.proof import Readings
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans

log = structlog.get_logger()


class Unproven:
    """The scopes of a registry's listing that may lack images: it and its repositories."""

    def __init__(self, registry_id: str, scans: Scans, policy: SplitPolicy) -> None:
        self._registry_id = registry_id
        self._scans = scans
        self._policy = policy
        self._readings: dict[str | None, Readings] = {}  # By repository, None for the registry.
        self._repeated: set[str] = set()  # Repositories listed alone because images came again.
        self._not_alone = (
            False  # Whether images of a repository came again that cannot be listed alone.
        )

    @property
    def is_empty(self) -> bool:
        """Whether everything is proven complete."""
        return not self._readings

    @property
    def missing(self) -> int:
        """The least number of missing images, as far as it is known."""
        return sum(one.missing for one in self._readings.values())

    def take(self, scan: Scan, *, relied_on: bool) -> None:
        """Note a scan that has reached the end of its listing.

        `relied_on` is true if its listing must be complete; that of a split registry need not be.
        """
        scope, proof = scan.repository, scan.observed.proof
        if proof.whole or not relied_on:
            self._readings.pop(scope, None)
            return
        readings = self._readings.setdefault(scope, Readings())
        readings.add(proof)
        if readings.whole:
            del self._readings[scope]

    def list_repeated(self, scan: Scan) -> None:
        """List alone the repositories whose images came again in a registry's scan.

        If one cannot be listed alone, or was for another reason, the registry is listed again.
        """
        repeated = scan.observed.repeated_repositories
        if scan.repository is not None or len(repeated) > self._policy.max_repeated:
            return
        new = repeated - self._repeated
        alone = {name for name in new if listable(name) and not self._scans.has_begun(name)}
        self._not_alone = self._not_alone or alone != new
        self._repeated |= alone
        self._scans.begin_alone(sorted(alone))

    def forget(self, repository: str) -> None:
        """Forget a repository that was not found."""
        self._readings.pop(repository, None)

    def clear(self) -> None:
        """Forget everything, as the whole registry is listed again."""
        self._readings.clear()
        self._repeated.clear()
        self._not_alone = False

    def doubt_registry(self, check: SplitCheck) -> None:
        """List the registry again if listing a repository alone has proven nothing."""
        up = self._scans.up
        doubted = self._not_alone or not self._repeated.isdisjoint(check.unread)
        if doubted and up is not None and None not in self._readings:
            self._readings[None] = Readings()
            self._readings[None].add(up.observed.proof)
        self._not_alone = False
        self._repeated.clear()

    def list_again(self) -> bool:
        """List again the scopes that are not proven complete.

        Returns False if there is none, or if listing again has not helped.
        """
        most = self._policy.max_readings
        again = [name for name, one in self._readings.items() if one.count < most]
        for name in again:
            readings = self._readings[name]
            if readings.count == 1:
                log.warning(
                    "listing_not_proven",
                    registry_id=self._registry_id,
                    repository_name=name,
                    missing=readings.missing or None,
                    reason="images came in another order on another page, so some may be missing; "
                    "they are listed again",
                )
            self._scans.begin(Direction.ASCENDING, name, reading=readings.count)
        return bool(again)
