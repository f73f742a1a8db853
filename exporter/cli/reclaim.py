"""`reclaim`: show what deleting some images would free. It deletes nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.analyze.lifecycle import read_rules
from exporter.analyze.reclaim import ReclaimPlan
from exporter.analyze.reclaim import reclaim as plan_of
from exporter.analyze.reclaim_policy import ReclaimPolicy
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import answered
from exporter.cli.process.incomplete import say_incomplete, say_partial
from exporter.cli.process.reading import reading
from exporter.cli.process.row_format import RowFormat, row_format
from exporter.cli.process.rows import write_lines, write_rows, write_summary
from exporter.cli.terminal.plan import show_plan
from exporter.cli.terminal.tables import result_console
from exporter.errors import PARTIAL_EXIT_CODE, SettingsError
from exporter.figures import printable
from exporter.output import open_existing
from exporter.settings import READING, Report, Settings, load_settings
from exporter.snapshots.selection import NEWEST, read_snapshot
from exporter.wording import number

_NAMED = 5
"""How many registries that are left out a sentence names."""

app = new_app()


class Rows(StrEnum):
    """A table that this command answers with."""

    IMAGES = "images"
    REPOSITORIES = "repositories"
    REGISTRIES = "registries"


@app.command()
def reclaim(
    untagged: Annotated[bool, typer.Option("--untagged", help="Images without a tag.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="TIME",
            help="Images created longer than this, such as 90d, before the snapshot was started.",
        ),
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option(
            "--keep-last",
            metavar="N",
            help="Of the images that match all the rest, spare the newest N of each repository.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="GLOB",
            help="Images that have tags, all of which match; may be repeated, for tags that match "
            "one of several.",
        ),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            "--repository",
            metavar="GLOB",
            help="Images of repositories whose path after the registry, or full name, matches; "
            "may be repeated.",
        ),
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option("--registry", metavar="ID", help="Images of this registry; may be repeated."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="Images that these lifecycle rules would delete."
        ),
    ] = None,
    price: options.Price = None,
    currency: options.Currency = None,
    config: options.Config = None,
    output: options.Output = None,
    snapshot: options.SnapshotName = NEWEST,
    rows: Annotated[
        Rows, typer.Option("--rows", help="The table that --format and --to give.")
    ] = Rows.IMAGES,
    ids: Annotated[
        bool, typer.Option("--ids", help="Give the ids of the images alone, one a line.")
    ] = False,
    format_: options.RowFormatChoice = None,
    to: options.To = None,
    summary_json: options.SummaryJson = None,
    debug: options.Debug = False,
) -> None:
    """Show what deleting some images would free, exactly as it is billed.

    Nothing is deleted: this program cannot delete. An image must match every flag that is given,
    and the policy. Case counts in patterns, and * matches slashes too. An image without a time of
    creation is never old, and the oldest where the newest are kept.

    A layer is billed once in its registry, and freed once every image there that uses it is gone.
    In an OCI registry, an image to which a tag leads through an index counts as tagged, and what an
    index refers to stays as long as the index does.
    Registries whose images are not all listed are left out, for an image that was not listed may
    use a layer; the exit code is then 3. Images come by repository, the oldest first.

    \b
    The policy is the JSON that the vendor's CLI takes:
      [{"description": "old tests", "tag_regexp": "test.*",
        "expire_period": "80d", "retained_top": 20},
       {"untagged": true, "expire_period": "48h"}]
    Each rule filters the images of a repository: those of which one whole tag
    matches tag_regexp (RE2), with untagged also those without a tag. It keeps
    the retained_top newest (none if it is absent), at the same time those with
    the greater ids. It calls for deleting the others once they are older than
    expire_period (at any age if it is absent); an image that is exactly as old
    is kept. Ages count from the snapshot's start. An image goes if all rules
    that filter it call for it; one that none filters stays. Flags do not change
    what the rules compare.

    \b
    Examples:
      registry-exporter reclaim --untagged --older-than 30d
      registry-exporter reclaim --tag 'pr-*' --keep-last 5 --to plan.csv
      registry-exporter reclaim --policy rules.json --price 0.0243 --currency USD
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with answered(debug):
        answer = _Answer(rows, _format(format_, to, rows, ids=ids), to, summary_json, ids=ids)
        answer.check()
        wanted = ReclaimPolicy(
            untagged=untagged,
            older_than=options.period("--older-than", older_than),
            keep_last=keep_last,
            tags=tag or (),
            repositories=repository or (),
            registries=registry or (),
            rules=read_rules(policy) if policy else (),
        )
        told = options.settings_flags(output=output, price=price, currency=currency)
        settings = load_settings(config, told, only=(*READING, "report"))
        code = _reclaim(settings, snapshot, wanted, answer)
    raise typer.Exit(code)


@dataclass(frozen=True)
class _Answer:
    """Where the answer goes: rows or ids, the totals, or all of it to a person."""

    rows: Rows
    format: RowFormat | None
    to: Path | None
    summary: str | None
    ids: bool

    def check(self) -> None:
        """Refuse an answer that would mix two things; raises `SettingsError`."""
        if self.summary == "-" and self.to is None and (self.format or self.ids):
            raise SettingsError(
                f"--summary-json - and {'--ids' if self.ids else '--format'} both write to "
                "stdout: name a file for one of them."
            )

    def give(self, plan: ReclaimPlan, report: Report) -> None:
        """Write what was asked for; raises `OutputError`."""
        if self.ids:
            write_lines(plan.ids(), self.to)
        elif self.format is not None:
            write_rows(plan.rows(self.rows.value), self.format, self.to)
        if self.summary is not None:
            write_summary(_summary(plan, report), self.summary)
        if self.format is None and not self.ids and self.summary != "-":
            show_plan(result_console(), plan, report)


def _format(asked: RowFormat | None, to: Path | None, rows: Rows, *, ids: bool) -> RowFormat | None:
    if not ids:
        return row_format(asked, to)
    if asked is not None or rows is not Rows.IMAGES:
        raise SettingsError(
            "--ids gives the ids of images as lines: leave out --format and --rows, or --ids."
        )
    return None


def _reclaim(settings: Settings, name: str, policy: ReclaimPolicy, answer: _Answer) -> int:
    """Answer about a snapshot of an output; return the exit code."""
    with ExitStack() as stack:
        with reading():
            opened = stack.enter_context(read_snapshot(open_existing(settings), name))
            plan = stack.enter_context(plan_of(opened, policy))
        answer.give(plan, settings.report)
        _say_unseen(plan)
        return _say_incomplete(plan)


def _say_unseen(plan: ReclaimPlan) -> None:
    """Say of which registries images without a tag cannot be seen; the answer is whole without."""
    if not plan.unseen:
        return
    names, is_one = _few(plan.unseen), len(plan.unseen) == 1
    messages.write(
        f"{number(len(plan.unseen), 'registry', 'registries')} ({names}) "
        f"{'does' if is_one else 'do'} not show images that no tag leads to, so the answer has "
        "none of them, and a layer that one of them uses stays: take what is freed as the most it "
        "can be.",
        event="untagged_not_seen",
        level="warning",
    )


def _few(ids: Sequence[str]) -> str:
    more = len(ids) - _NAMED
    named = ", ".join(printable(one) for one in ids[:_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named


def _say_incomplete(plan: ReclaimPlan) -> int:
    if plan.is_complete:
        return 0
    lacks = []
    if plan.left_out:
        lacks.append(
            f"{number(len(plan.left_out), 'registry', 'registries')} "
            f"({_few([one.registry_id for one in plan.left_out])}), whose images are not all "
            "listed, for one that is not may use a layer"
        )
    if plan.strays:
        lacks.append(f"{number(plan.strays, 'image')} of no registry")
    if not lacks:
        return say_partial(plan.manifest)
    say_incomplete(f"The answer leaves out {', and '.join(lacks)}", plan.manifest.snapshot_id)
    return PARTIAL_EXIT_CODE


def _summary(plan: ReclaimPlan, report: Report) -> dict[str, Any]:
    price = report.price_per_gb_month
    return {
        "image_count": plan.image_count,
        "freed_size": plan.freed_size,
        "logical_size": plan.logical_size,
        "monthly_saving": None if price is None else plan.monthly_saving(price),
        "currency": None if price is None else report.currency,
        "left_out": [one.registry_id for one in plan.left_out],
    }
