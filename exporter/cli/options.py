"""The flags that several commands share, and how they become settings."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.cli.process.messages import LogFormat, LogLevel
from exporter.cli.process.row_format import RowFormat
from exporter.errors import SettingsError
from exporter.settings.values import parse_age, parse_duration


class Format(StrEnum):
    """A format that tables are written in."""

    PARQUET = "parquet"
    NDJSON = "ndjson"


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="A YAML file of settings; without it, only the environment counts.",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="URL",
        help="Where the snapshots are: a path, file://, s3:// or gs://. [output.url]",
    ),
]
SnapshotId = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="The snapshot's id; by default its start time: run-20261123T020000Z."
    ),
]
Formats = Annotated[
    list[Format] | None,
    typer.Option(
        "--format",
        metavar="parquet|ndjson",
        help="A file format; may be repeated. By default both. [output.formats]",
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace an existing snapshot of the same id.")
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Start over instead of resuming an unfinished run."),
]
AcceptShrink = Annotated[
    bool,
    typer.Option(
        "--accept-shrink",
        help="Publish a result even if it has implausibly few images. A result that was "
        "withheld for that is published without listing again.",
    ),
]
NewScope = Annotated[
    bool,
    typer.Option(
        "--new-scope",
        help="Allow a source or scope other than the output's, and make it its own.",
    ),
]
Folders = Annotated[
    list[str] | None,
    typer.Option("--folder", metavar="ID", help="Only this folder; may be repeated."),
]
Registries = Annotated[
    list[str] | None,
    typer.Option("--registry", metavar="ID", help="Only this registry; may be repeated."),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="cloud|oci",
        help="Where images are listed from: a cloud's list API, or OCI registries. [source]",
    ),
]
RegistryUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--registry-url",
        metavar="HOST",
        help="List this OCI registry; may be repeated. [oci.registries]",
    ),
]
ImmutableTags = Annotated[
    list[str] | None,
    typer.Option(
        "--immutable-tags",
        metavar="GLOB",
        help="Tags of --registry-url that never move: those read before are not asked for.",
    ),
]
Clouds = Annotated[
    list[str] | None,
    typer.Option("--cloud", metavar="ID", help="Only this cloud; may be repeated."),
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", metavar="N", help="The most calls at once. [limits.concurrency]"),
]
Wait = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="How long to wait for another run on this output, such as 10m."
    ),
]
LogFormatChoice = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="The format of stderr: console on a terminal or with --quiet, else json.",
    ),
]
LogLevelChoice = Annotated[
    LogLevel | None,
    typer.Option(
        "--log-level",
        help="The least important events to log: info, or warning beside a progress display.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only errors, and which listings are missing."),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Write Prometheus metrics here, for a textfile collector."),
]
MetricsJob = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Label the metrics export_job=NAME, to tell several jobs apart."
    ),
]
RunSummary = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Write the summary here as JSON; - is stdout."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
SnapshotName = Annotated[
    str,
    typer.Option("--snapshot", metavar="ID", help="A snapshot's id, latest or previous."),
]
RowFormatChoice = Annotated[
    RowFormat | None,
    typer.Option("--format", help="Give rows for a program; by default as --to ends."),
]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Write the rows to this file, not to stdout."),
]
Price = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="PRICE",
        help="What a GB (2^30 bytes) costs a month. [report.price_per_gb_month]",
    ),
]
Currency = Annotated[
    str | None,
    typer.Option("--currency", metavar="NAME", help="Of the price. [report.currency]"),
]
SummaryJson = Annotated[
    str | None,
    typer.Option(
        "--summary-json", metavar="FILE", help="Write the totals as JSON to a file; - is stdout."
    ),
]


def settings_flags(
    *,
    output: str | None = None,
    formats: list[Format] | None = None,
    concurrency: int | None = None,
    folders: list[str] | None = None,
    registries: list[str] | None = None,
    clouds: list[str] | None = None,
    source: str | None = None,
    registry_urls: list[str] | None = None,
    immutable_tags: list[str] | None = None,
    price: str | None = None,
    currency: str | None = None,
    to: str | None = None,
    schema: str | None = None,
    tables: list[str] | None = None,
    partial: bool | None = None,
) -> dict[str, Any]:
    """Return the flags that were given, nested as the settings file is, for `load_settings`.

    A registry's URL means OCI registries. Raises `SettingsError` for another source beside it, and
    for immutable tags of no registry.
    """
    if immutable_tags and not registry_urls:
        raise SettingsError(
            "--immutable-tags is about the registries of --registry-url; in a file, set "
            "immutable_tags beside the registry."
        )
    kept = {"immutable_tags": immutable_tags} if immutable_tags else {}
    told: dict[str, dict[str, Any]] = {
        "output": {"url": output, "formats": [one.value for one in formats or ()]},
        "limits": {"concurrency": concurrency},
        "scope": {"folders": folders, "registries": registries, "clouds": clouds},
        "oci": {"registries": [{"registry": one, **kept} for one in registry_urls or ()]},
        "report": {"price_per_gb_month": price, "currency": currency},
        "load": {"to": to, "schema": schema, "tables": tables, "partial": partial},
    }
    if registry_urls and source not in (None, "oci"):
        raise SettingsError(
            f"--registry-url names an OCI registry: use --source oci, not {source}."
        )
    kind = source or ("oci" if registry_urls else None)
    flags: dict[str, Any] = {} if kind is None else {"source": kind}
    return flags | {
        section: given
        for section, named in told.items()
        if (given := {name: flag for name, flag in named.items() if flag not in (None, [])})
    }


def period(flag: str, text: str | None) -> timedelta | None:
    """Return the length of time of a flag: `90d`, `36h`; raises `SettingsError`."""
    if text is None:
        return None
    try:
        return parse_age(text)
    except ValueError as error:
        raise SettingsError(f"{flag} {text}: {error}.") from None


def seconds(wait: str | None) -> float:
    """Return the seconds of `--wait`: `90`, `90s`, `10m`; raises `SettingsError`."""
    if wait is None:
        return 0.0
    try:
        return parse_duration(wait).total_seconds()
    except ValueError as error:
        raise SettingsError(f"--wait {wait}: {error}.") from None
