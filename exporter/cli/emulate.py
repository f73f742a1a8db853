"""`emulate`: serve a stand-in for the cloud or for a registry, to try the exporter with."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.emulator import Behaviour, Faults, ListenError, oci, parse_fault, serve
from exporter.emulator import preset as shape_of
from exporter.errors import ExporterError, SettingsError

app = new_app()


class Kind(StrEnum):
    """What is emulated."""

    CLOUD = "cloud"
    OCI = "oci"


class Access(StrEnum):
    """Whom an emulated registry lets in."""

    ANONYMOUS = "anonymous"
    BASIC = "basic"
    TOKEN = "token"  # noqa: S105 - no password


class Flavor(StrEnum):
    """The list API of an emulated registry."""

    DISTRIBUTION = "distribution"
    HARBOR = "harbor"


_ONLY_FOR = {
    Kind.CLOUD: ("images", "deny"),
    Kind.OCI: (
        "repositories", "tags", "indexes", "quirk", "access", "flavor", "prefix", "quota"
    ),
}  # fmt: skip
"""Options that the other kind does not have."""
_FOR_OCI = "Options of --kind oci"


@app.command()
def emulate(
    context: typer.Context,
    kind: Annotated[
        Kind, typer.Option(help="What to serve: the cloud, or a registry with the OCI API.")
    ] = Kind.CLOUD,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="The shape of the cloud; see the list above.")
    ] = "demo",
    images: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Scale the shape to N images.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Another number makes another cloud.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")
    ] = 0,
    latency_ms: Annotated[
        float, typer.Option(metavar="MS", min=0, help="The least time of a call, in milliseconds.")
    ] = 0.0,
    jitter_ms: Annotated[
        float, typer.Option(metavar="MS", min=0, help="The most time added to that at random.")
    ] = 0.0,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="The most calls per second; others get 429.")
    ] = None,
    max_in_flight: Annotated[
        int | None, typer.Option(metavar="N", help="The most calls at once; others get 503.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="The most calls that are worked on at once; others wait."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=RATE", help="The share of calls that fail in this way; may be repeated."
        ),
    ] = None,
    fault_seed: Annotated[
        int, typer.Option(metavar="S", help="Another number makes other calls fail.")
    ] = 0,
    deny: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Answer 403 for this scope; may be repeated."),
    ] = None,
    repositories: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Repositories.", rich_help_panel=_FOR_OCI),
    ] = None,
    tags: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Tags in all of them.", rich_help_panel=_FOR_OCI),
    ] = None,
    indexes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Indexes of two platforms among what the tags name.",
            rich_help_panel=_FOR_OCI,
        ),
    ] = None,
    quirk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=SHARE]",
            help="An oddity, and how many pushes, lists or repositories have it; may be repeated.",
            rich_help_panel=_FOR_OCI,
        ),
    ] = None,
    access: Annotated[
        Access, typer.Option(help="How to let callers in.", rich_help_panel=_FOR_OCI)
    ] = Access.ANONYMOUS,
    flavor: Annotated[
        Flavor, typer.Option(help="The list API that it has.", rich_help_panel=_FOR_OCI)
    ] = Flavor.DISTRIBUTION,
    prefix: Annotated[
        str,
        typer.Option(metavar="/PATH", help="The path before /v2/.", rich_help_panel=_FOR_OCI),
    ] = "",
    quota: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The manifests that may be read, as Docker Hub counts them.",
            rich_help_panel=_FOR_OCI,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Serve a made-up cloud or registry on this machine until stopped.

    Prints a line of JSON when it is ready: its URL, and a token that it accepts. For more options
    see python -m exporter.emulator --help. With --kind oci it is a registry with the OCI
    distribution API, and prints whom it lets in.

    \b
    Shapes: tiny, demo, company, skewed, uniform, giant-registry,
            giant-repository, million, quirks
    Faults: 429=0.05, 503=0.05, truncated=0.01, hang=0.001, …

    \b
    Example, in two terminals:
      registry-exporter emulate --port 8080 --latency-ms 50 --fault 503=0.02
      export REGISTRY_IAM_TOKEN=t1.emulator-static-token
      export REGISTRY_EXPORTER__DOMAIN=http://127.0.0.1:8080
      registry-exporter export

    \b
    Shapes of --kind oci: tiny, demo, nightly, skewed, million, odd
    Quirks: of what is pushed: artifact, attested, nested-index, schema1, …
            of its answers: next-page, no-link, no-digest, redirects, …
            (a name that there is not is answered with all of them)

    \b
    Example, in two terminals:
      registry-exporter emulate --kind oci --port 5000 --quirk no-digest=0.5
      registry-exporter export --source oci --registry-url 127.0.0.1:5000
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        _check_kind(context, kind)
        try:
            rates = dict(parse_fault(text) for text in fault or ())
            faults = Faults(rates=rates, seed=fault_seed, denied=frozenset(deny or ()))
            behaviour: dict[str, Any] = {
                "latency": latency_ms / 1000,
                "jitter": jitter_ms / 1000,
                "rate": rate,
                "max_in_flight": max_in_flight,
                "workers": workers,
            }
            run: Callable[[], None]
            if kind is Kind.OCI:
                oci.check_faults(faults)
                oddities, quirks = oci.parse_quirks(quirk or ())
                registry = oci.preset(
                    preset, seed=seed, repositories=repositories, tags=tags, indexes=indexes
                ).with_oddities(oddities)
                like = oci.Behaviour(
                    **behaviour,
                    access=access.value,
                    flavor=flavor.value,
                    prefix=prefix.rstrip("/"),
                    quota=quota,
                    quirks=quirks,
                    seed=registry.seed,
                )
                run = partial(oci.serve_registry, registry, like, faults, host=host, port=port)
            else:
                shape = shape_of(preset, images=images, seed=seed)
                run = partial(serve, shape, Behaviour(**behaviour), faults, host=host, port=port)
        except ValueError as error:
            raise SettingsError(f"The emulator cannot use these options: {error}.") from None
        try:
            run()
        except ListenError as error:
            raise ExporterError(
                f"The emulator cannot listen on {error}; choose another --host or --port (0 takes "
                "any free one)."
            ) from None


def _check_kind(context: typer.Context, kind: Kind) -> None:
    """Refuse an option that only the other kind has."""
    other = Kind.CLOUD if kind is Kind.OCI else Kind.OCI
    for option in context.command.params:
        name = option.name or ""
        given = context.params.get(name)
        if name in _ONLY_FOR[other] and given and given != option.default:
            raise SettingsError(
                f"--{name} is not for --kind {kind}; leave it out, or use --kind {other}."
            )
