"""Makes a report about a snapshot: what it is compared with, and the history it shows."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from exporter.report.collect import collect
from exporter.report.content import Price
from exporter.report.extra import require_packages
from exporter.settings import Report as Pricing
from exporter.snapshots.identity import identity
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.manifests import readable_manifests
from exporter.snapshots.reader import Snapshot
from exporter.snapshots.selection import PREVIOUS, complete_before, read_snapshot
from exporter.storage.destination import Destination

NO_PRICE = Pricing()
NOTHING = "none"
"""The name that stands for no comparison."""


@dataclass(frozen=True)
class Report:
    """A report: its HTML, and the manifests of the snapshots that it is about."""

    html: str
    manifests: tuple[Manifest, ...]


def make_report(
    destination: Destination,
    snapshot: Snapshot,
    *,
    compare: str = PREVIOUS,
    pricing: Pricing = NO_PRICE,
) -> Report:
    """Return the report about a snapshot as one HTML file.

    `compare` is an id, `none`, or `previous`: the newest complete snapshot before this one, if
    there is one. `pricing` are the settings of the price. Raises `ExporterError` if packages are
    missing or there is no such snapshot, and what `Snapshot`, `reclaim` and `diff` raise.
    """
    require_packages()
    from exporter.report.page import page  # noqa: PLC0415 - it needs the extra

    with ExitStack() as stack:
        before = _compared(destination, snapshot.manifest, compare)
        if before is not None:
            stack.enter_context(before)
        history = _history(destination, snapshot.manifest)
        html = page(collect(snapshot, before, history, _price(pricing)))
    about = (snapshot.manifest, *((before.manifest,) if before else ()))
    return Report(html, about)


def _price(pricing: Pricing) -> Price | None:
    if pricing.price_per_gb_month is None:
        return None
    return Price(float(pricing.price_per_gb_month), pricing.currency or "")


def _compared(destination: Destination, manifest: Manifest, compare: str) -> Snapshot | None:
    if compare == NOTHING:
        return None
    if compare == PREVIOUS:
        return complete_before(destination, manifest)
    return read_snapshot(destination, compare)


def _history(destination: Destination, manifest: Manifest) -> list[Manifest]:
    """Return the manifests of the snapshot's source and scope up to it, oldest first."""
    what = identity(manifest.source, manifest.scope)
    found = [
        one
        for one in readable_manifests(destination)[0]
        if identity(one.source, one.scope) == what and one.started_at <= manifest.started_at
    ]
    return sorted(found, key=lambda one: (one.started_at, one.order))
