"""What deleting some images would free, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from exporter.analyze.reclaim import ReclaimPlan
from exporter.cli.terminal.tables import new_table
from exporter.figures import printable, share, size
from exporter.settings import Report
from exporter.wording import number

SHOWN = 10
"""How many registries, repositories and images are named, each."""
_WENT = {"partial": "listed in part", "unknown": "named by no list of registries"}
"""How the listing of a registry's images ended, in words; other statuses are words."""
_TAGS = 3
"""How many tags of an image are named."""


def show_plan(console: Console, plan: ReclaimPlan, report: Report) -> None:
    """Print what is freed in all, by registry, repository and image, and what was left out."""
    sections = [_headline(plan, report), _left_out(plan)]
    if plan.image_count:
        sections[1:1] = [_registries(plan), _repositories(plan), _images(plan)]
        sections.append(_next())
    for section in sections:
        for line in section:
            console.print(line)


def _headline(plan: ReclaimPlan, report: Report) -> Iterator[RenderableType]:
    of = Text("Snapshot ").append(plan.manifest.snapshot_id, style="bold")
    if plan.manifest.status == "partial":
        of.append(" is ").append("PARTIAL", style="bold red").append(". In")
    if not plan.image_count:
        line = of.append(": " if plan.manifest.status == "complete" else " what is listed ")
        yield line.append("no image matches, so nothing would be freed.")
        yield _selected(plan)
        return
    line = of.append(": " if plan.manifest.status == "complete" else " what is listed, ")
    line.append("deleting ").append(number(plan.image_count, "image"), style="bold")
    line.append(" frees ").append(size(plan.freed_size), style="bold green")
    line.append(
        f" of {size(plan.stored_size)} stored ({share(plan.freed_size, plan.stored_size)})."
    )
    price = report.price_per_gb_month
    if price is not None:
        money = f"{plan.monthly_saving(price):,.2f} {report.currency or ''}".rstrip()
        line.append(" That saves ").append(money, style="bold green").append(" a month.")
    yield line
    yield _selected(plan)
    yield Text(
        f"Their own sizes add up to {size(plan.logical_size)}: a layer counts once in its "
        "registry, and stays if another image uses it.",
        style="dim",
    )


def _selected(plan: ReclaimPlan) -> Text:
    """Say what selects the images, so that a printed plan can be approved."""
    rules = [rule.label(place) for place, rule in enumerate(plan.policy.rules, 1)]
    parts = [plan.policy.flags(), f"the rules {', '.join(rules)}" if rules else ""]
    chosen = printable(" and ".join(part for part in parts if part))
    return Text(f"Selected by {chosen}, as of {plan.manifest.started_at:%Y-%m-%d %H:%M} UTC.")


def _registries(plan: ReclaimPlan) -> Iterator[RenderableType]:
    yield from _title("By registry", plan.count("registries"))
    table = new_table("registry", "name", "images", "freed", right=("images", "freed"))
    for row in plan.largest("registries", SHOWN).to_pylist():
        table.add_row(
            _name(row["registry_id"]),
            _name(row["registry_name"]),
            number(row["image_count"]),
            size(row["freed_size"]),
        )
    yield table


def _repositories(plan: ReclaimPlan) -> Iterator[RenderableType]:
    yield from _title("Repositories that free most by themselves", plan.count("repositories"))
    table = new_table("repository", "images", "frees alone", right=("images", "frees alone"))
    for row in plan.largest("repositories", SHOWN).to_pylist():
        table.add_row(
            _name(row["repository_name"]), number(row["image_count"]), size(row["alone_size"])
        )
    yield table


def _images(plan: ReclaimPlan) -> Iterator[RenderableType]:
    yield from _title("Images that free most by themselves", plan.image_count)
    columns = ("image", "repository", "tags", "created", "frees alone")
    table = new_table(*columns, right=columns[-1:])
    for row in plan.largest("images", SHOWN).to_pylist():
        table.add_row(
            _name(row["image_id"]),
            _name(row["repository_name"].partition("/")[2]),
            _tags(row["tags"]),
            f"{row['created_at']:%Y-%m-%d}" if row["created_at"] else "",
            size(row["alone_size"]),
        )
    yield table


def _title(text: str, count: int) -> Iterator[RenderableType]:
    yield Text()
    line = Text(text, style="bold")
    if count > SHOWN:
        line.append(f" ({SHOWN} of {count:,})", style="not bold dim")
    yield line


def _name(text: str | None) -> Text:
    return Text(printable(text or ""))


def _tags(tags: list[str]) -> Text:
    if not tags:
        return Text("untagged", style="dim")
    more = f" and {len(tags) - _TAGS:,} more" if len(tags) > _TAGS else ""
    return Text(", ".join(printable(tag) for tag in tags[:_TAGS]) + more)


def _left_out(plan: ReclaimPlan) -> Iterator[RenderableType]:
    count = len(plan.left_out)
    if not count:
        return
    yield Text()
    what = number(count, "registry is", "registries are")
    yield Text(f"{what} left out: their images are not all listed", style="bold yellow")
    for one in plan.left_out[:SHOWN]:
        name = f"{one.name} ({one.registry_id})" if one.name else one.registry_id
        why = [_WENT.get(one.status, one.status), one.message or ""]
        yield Text(f"  {printable(name)}: {printable(': '.join(filter(None, why)))}")
    if count > SHOWN:
        yield Text(f"  and {count - SHOWN:,} more; --summary-json names them all", style="dim")


def _next() -> Iterator[RenderableType]:
    yield Text()
    for line in (
        "This program deletes nothing. All images: --to plan.csv",
        "All repositories or registries: --rows repositories --to plan.csv",
        "Their ids, for a loop around the vendor's CLI: --ids",
    ):
        yield Text(line, style="dim")
