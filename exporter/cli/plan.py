"""`plan`: show which listings an export would read, and how many calls they take."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import typer
from rich.text import Text

from exporter import run
from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process import messages
from exporter.cli.process.failures import reported
from exporter.cli.process.json_text import print_json
from exporter.cli.process.logs import configure_logs
from exporter.cli.process.messages import LogFormat, LogLevel
from exporter.cli.terminal.outlook import outlook_json, show_outlook
from exporter.cli.terminal.tables import new_table, result_console
from exporter.crawl.coverage import ListingStatus
from exporter.errors import PARTIAL_EXIT_CODE
from exporter.figures import duration, printable, size
from exporter.settings import load_settings
from exporter.sources.oci.survey import OciPlan
from exporter.sources.plan import Plan
from exporter.wording import number

app = new_app()


@app.command()
def plan(
    config: options.Config = None,
    output: options.Output = None,
    cloud: options.Clouds = None,
    folder: options.Folders = None,
    registry: options.Registries = None,
    source: options.Source = None,
    registry_url: options.RegistryUrl = None,
    immutable_tags: options.ImmutableTags = None,
    as_json: options.AsJson = False,
    log_format: options.LogFormatChoice = None,
    log_level: options.LogLevelChoice = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show what an export would list, without listing images or writing anything.

    Lists clouds, folders and registries only, and the repositories of a registry in `scope` that no
    list names. The export takes at least the number of calls that is shown. The images expected of
    a registry are those that the last complete snapshot counted.

    Of OCI registries, it lists the repositories, and looks at the tags of at most 20 and at 40
    manifests of each registry. From that it estimates the calls of an export, without a cache and
    with the cache as it is, the time they take, and whether a quota of pulls allows them.

    \b
    Examples:
      registry-exporter plan --config cron.yaml
      registry-exporter plan --folder b1gabc --json
      registry-exporter plan --source oci --registry-url localhost:5000
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    messages.use_format(log_format, quiet=quiet)
    with reported(debug, event="plan_failed"):
        flags = options.settings_flags(
            output=output,
            clouds=cloud,
            folders=folder,
            registries=registry,
            source=source,
            registry_urls=registry_url,
            immutable_tags=immutable_tags,
        )
        settings = load_settings(config, flags)
        format_ = messages.log_format(log_format, quiet=quiet)
        # A person is shown the result, and needs no events beside it.
        usual = LogLevel.WARNING if format_ is LogFormat.CONSOLE else LogLevel.INFO
        level = LogLevel.ERROR if quiet else log_level or usual
        configure_logs(format_, level)
        planned = asyncio.run(run.plan(settings))
        entries = planned.coverage.entries()
        if as_json:
            print_json(_content(planned, entries))
        else:
            _print(planned, entries)
        missing = [entry for entry in entries if not entry.whole]
        if missing and level is LogLevel.ERROR:
            # At another level, the log has an event of each.
            named = ", ".join(f"{one.listing} of {one.parent_id} ({one.status})" for one in missing)
            messages.write(
                f"These listings are not complete: {named}.", event="plan_partial", level="warning"
            )
    raise typer.Exit(PARTIAL_EXIT_CODE if missing else 0)


def _content(planned: Plan, entries: list[ListingStatus]) -> dict[str, object]:
    ahead = {"outlook": outlook_json(planned)} if isinstance(planned, OciPlan) else {}
    return ahead | {
        "registries": planned.registries,
        "fewest_calls": planned.fewest_calls,
        "cost": None if planned.cost is None else asdict(planned.cost),
        "expected_images": [
            {"registry_id": registry, "name": name or None, "images": planned.images.get(registry)}
            for registry, name in planned.names.items()
        ],
        "listings": [
            {
                "listing": entry.listing,
                "parent_id": entry.parent_id,
                "status": entry.status,
                "found": entry.items,
                "rows": entry.rows,
                "message": entry.message,
            }
            for entry in entries
        ],
    }


def _print(planned: Plan, entries: list[ListingStatus]) -> None:
    console = result_console()
    table = new_table("listing", "of", "found", "status", right=("found",))
    for entry in entries:
        style = "" if entry.whole else "red"
        status = Text(entry.status or "", style=style)
        table.add_row(entry.listing, entry.parent_id, f"{entry.items:,}", status)
    if entries:
        console.print(table)
        console.print()
    if isinstance(planned, OciPlan):
        show_outlook(console, planned)
        return
    if planned.names:
        images = new_table("registry", "name", "images expected", right=("images expected",))
        for registry, name in planned.names.items():
            count = planned.images.get(registry)
            images.add_row(
                registry, Text(printable(name)), "not known" if count is None else f"{count:,}"
            )
        console.print(images)
        console.print()
    expected = number(sum(planned.images.values()), "image")
    known = (
        f"about {expected} by the last complete snapshot"
        if planned.images
        else ("no complete snapshot says how many images")
    )
    console.print(
        f"An export would list {number(planned.registries, 'registry', 'registries')} ({known}), "
        f"with at least {number(planned.fewest_calls, 'call')}.",
        soft_wrap=True,
    )
    if planned.cost is not None:
        console.print(
            f"With ten layers an image, it takes about {size(planned.cost.parquet_bytes)} of "
            f"Parquet files, and {duration(planned.cost.processor_seconds)} of one processor.",
            soft_wrap=True,
        )
