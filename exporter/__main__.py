"""Where the system starts the program: `registry-exporter`, and `python -m exporter`."""

from __future__ import annotations

import sys

from exporter.cli.process import messages
from exporter.cli.process.memory import importing
from exporter.cli.process.signals import end_at_signals


def main() -> None:
    """Run the command line (`exporter.cli.app`); from here on, a signal ends it with a message."""
    messages.use_json(wanted=messages.asks_for_json(sys.argv))
    end_at_signals()
    # Not at the top: this import takes a quarter of a second, in which a signal may come.
    with importing():
        from exporter.cli.app import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
