"""`python -m exporter.emulator`: the emulator on the command line."""

from __future__ import annotations

import argparse

from .behaviour import Behaviour
from .faults import Fault, Faults, parse_fault
from .serve import serve
from .shape import PRESETS, preset


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m exporter.emulator", description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="demo")
    parser.add_argument("--images", type=int, help="scale the preset to this many images")
    parser.add_argument("--seed", type=int, help="choose one of the estates of that shape")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--rate", type=float, help="calls per second before 429")
    parser.add_argument("--max-in-flight", type=int, help="calls at once before 503")
    parser.add_argument("--token-life", type=float, default=12 * 3600.0, help="seconds")
    parser.add_argument("--page-token-life", type=float, help="seconds")
    parser.add_argument("--order-by", choices=("honoured", "ignored"), default="honoured")
    parser.add_argument(
        "--descending", choices=("honoured", "ignored", "refused"), default="honoured"
    )
    parser.add_argument(
        "--ties", choices=("honoured", "ignored", "refused", "reshuffled"), default="honoured"
    )
    parser.add_argument(
        "--misplaced", type=int, default=0, help="images that are out of their place"
    )
    parser.add_argument(
        "--stable-order", action="store_true", help="keep the order of unordered listings"
    )
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--pretty", action="store_true")
    parser.add_argument("--page-cache-mb", type=int, default=0)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND=RATE",
        help=f"may be repeated; kinds: {', '.join(Fault)}",
    )
    parser.add_argument("--fault-seed", type=int, default=0)
    parser.add_argument("--deny", action="append", default=[], metavar="ID")
    given = parser.parse_args()
    try:
        rates = dict(parse_fault(text) for text in given.fault)
        faults = Faults(rates=rates, seed=given.fault_seed, denied=frozenset(given.deny))
        shape = preset(given.preset, images=given.images, seed=given.seed)
        behaviour = Behaviour(
            latency=given.latency_ms / 1000,
            jitter=given.jitter_ms / 1000,
            rate=given.rate,
            max_in_flight=given.max_in_flight,
            token_life=given.token_life,
            page_token_life=given.page_token_life,
            order_by=given.order_by,
            descending=given.descending,
            ties=given.ties,
            misplaced=given.misplaced,
            reshuffle=not given.stable_order,
            gzip=given.gzip,
            pretty=given.pretty,
            page_cache_bytes=given.page_cache_mb << 20,
        )
    except ValueError as error:
        parser.error(str(error))
    serve(shape, behaviour, faults, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
