"""The sentences about what was listed, and what is missing."""

from __future__ import annotations

from exporter.figures import duration
from exporter.report.content import Content, Gap
from exporter.report.wording import cut, isolated
from exporter.wording import number

LISTINGS = {
    "clouds": "Clouds",
    "folders": "Folders",
    "registries": "Registries",
    "repositories": "Repositories",
    "images": "Images",
    "tags": "Tags",
    "manifests": "Manifests",
    "configs": "Configurations",
    "untagged": "Images without a tag",
}

_STATUSES = {
    "denied": "access was denied",
    "failed": "it failed",
    "partial": "it broke off",
    "skipped": "left out on purpose",
    "vanished": "it was deleted during the run",
}


def gap(one: Gap) -> str:
    """Return a listing that is not complete as a sentence."""
    what = LISTINGS.get(one.listing, one.listing).lower()
    whose = ""
    if one.parent_id != "*":
        name = (
            f"{isolated(one.name)} ({isolated(one.parent_id)})"
            if one.name
            else isolated(one.parent_id)
        )
        whose = f" of {name}"
    how = _STATUSES.get(one.status, one.status)
    message = f" – {cut(one.message, 240)}" if one.message else ""
    return f"The {what}{whose}: {how}{message}"


def coverage(content: Content) -> str:
    """Return how many listings the run made, and how long it took."""
    manifest = content.manifest
    asked, requests = sum(manifest.coverage.values()), manifest.requests
    complete = manifest.coverage.get("complete", 0)
    took = duration((manifest.finished_at - manifest.started_at).total_seconds())
    said = (
        f"Every listing is complete: {number(asked, 'listing')}"
        if complete == asked
        else f"{complete:,} of {number(asked, 'listing')} are complete"
    )
    again = f", {requests.retries:,} of them repeated" if requests.retries else ""
    return f"{said}. The run took {took} and made {number(requests.calls, 'call')}{again}."
