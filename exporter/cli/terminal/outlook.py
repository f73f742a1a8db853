"""The outlook of an export of OCI registries, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from exporter.cli.terminal.tables import new_table
from exporter.figures import duration
from exporter.sources.oci.outlook import Estimate, Outlook
from exporter.sources.oci.survey import OciPlan
from exporter.wording import number

_NAMED_BY = {
    "catalog": "its list of repositories",
    "projects": "the lists of Harbor's projects",
    "settings": "the names in oci.registries",
}


def outlook_json(planned: OciPlan) -> list[dict[str, object]]:
    """Return the outlooks as JSON has them: calls by kind with their total, seconds, the quota."""
    return [
        asdict(one)
        | {"cold": _estimate(one.cold), "warm": _estimate(one.warm), "is_enough": one.is_enough}
        for one in planned.outlooks
    ]


def show_outlook(console: Console, planned: OciPlan) -> None:
    """Print what an export of each registry will meet, and a sentence about all of them."""
    for one in planned.outlooks:
        table = new_table(one.registry_id, "")
        for name, value in _lines(one):
            table.add_row(name, Text(value))
        console.print(table)
        console.print()
    console.print(_sentence(planned), soft_wrap=True)
    for one in planned.outlooks:
        if one.is_enough is False:
            console.print(_too_few(one), style="red", soft_wrap=True)


def _estimate(estimate: Estimate) -> dict[str, object]:
    calls = estimate.calls
    return {**asdict(calls), "total": calls.total, "seconds": estimate.seconds}


def _lines(one: Outlook) -> Iterator[tuple[str, str]]:
    yield "flavor", one.flavor
    yield "repositories", f"{one.repositories:,}, by {_NAMED_BY[one.named_by]}"
    thing = "artifacts" if one.flavor == "harbor" else "tags"
    if one.is_exact:
        yield thing, f"{one.tags:,}"
    else:
        yield thing, f"about {one.tags:,}, by {one.sampled:,} of the repositories"
    seen = "are listed" if one.untagged_visible else "cannot be seen, so their size is unknown"
    yield "untagged images", seen
    images = ("without a cache", one.cold), ("with the cache", one.warm)
    for name, estimate in images:
        yield name, _told(estimate)
    if one.tokens:
        yield "tokens", f"{number(one.tokens, 'request')} beside these calls"
    if one.latency is not None:
        yield "a call takes", f"{one.latency * 1000:,.0f} ms"
    if one.quota is not None:
        yield "quota", _quota(one)


def _told(estimate: Estimate) -> str:
    calls = estimate.calls
    parts = [
        f"{count:,} for {what}"
        for count, what in (
            (calls.lists, "lists"),
            (calls.manifests, "tags and manifests"),
            (calls.configs, "configs"),
        )
        if count
    ]
    time = "" if estimate.seconds is None else f", {_time(estimate.seconds)}"
    return f"about {number(calls.total, 'call')}{time} ({', '.join(parts)})"


def _time(seconds: float) -> str:
    return "less than a second" if seconds < 1 else f"about {duration(seconds)}"


def _quota(one: Outlook) -> str:
    quota, needed = one.quota, one.warm.calls.pulls
    if quota is None:
        return "none"
    limit = "" if quota.limit is None else f" of {quota.limit:,}"
    window = "" if quota.seconds is None else f" in {quota.seconds / 3600:g} hours"
    enough = "enough" if one.is_enough else "NOT enough"
    left = f"{quota.left:,}{limit} pulls{window} left"
    return f"{left}; the export takes about {needed:,}: {enough}"


def _sentence(planned: OciPlan) -> str:
    calls = sum(one.warm.calls.total for one in planned.outlooks)
    repositories = sum(one.repositories for one in planned.outlooks)
    return (
        f"An export would list {number(planned.registries, 'registry', 'registries')} with "
        f"{number(repositories, 'repository', 'repositories')}, in about {number(calls, 'call')}. "
        "These are estimates, from some tags and manifests. The times are those of the registry "
        "alone, with limits.concurrency calls at once, which a busy one may not bear."
    )


def _too_few(one: Outlook) -> str:
    return (
        f"The quota of {one.registry_id} does not suffice for one run: that ends as partial, and "
        "each later one goes on from the cache; or name credentials with a larger quota."
    )
