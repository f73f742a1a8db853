"""`emulate`: serve a stand-in for the cloud, to try the exporter and its settings."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.emulator import Behaviour, Faults, ListenError, parse_fault, serve
from exporter.emulator import preset as shape_of
from exporter.errors import ExporterError, SettingsError

app = new_app()


@app.command()
def emulate(
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
    debug: options.Debug = False,
) -> None:
    """Serve a made-up cloud on this machine until stopped.

    Prints a line of JSON when it is ready: its URL, and a token that it accepts. For more options
    see python -m exporter.emulator --help.

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
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        try:
            rates = dict(parse_fault(text) for text in fault or ())
            faults = Faults(rates=rates, seed=fault_seed, denied=frozenset(deny or ()))
            shape = shape_of(preset, images=images, seed=seed)
            behaviour = Behaviour(
                latency=latency_ms / 1000,
                jitter=jitter_ms / 1000,
                rate=rate,
                max_in_flight=max_in_flight,
            )
        except ValueError as error:
            raise SettingsError(f"The emulator cannot use these options: {error}.") from None
        try:
            serve(shape, behaviour, faults, host=host, port=port)
        except ListenError as error:
            raise ExporterError(
                f"The emulator cannot listen on {error}; choose another --host or --port (0 takes "
                "any free one)."
            ) from None
