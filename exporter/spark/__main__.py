"""Where the system starts `registry-exporter-spark`, and `python -m exporter.spark`.

`spark-submit` starts a file with these two lines:

    from exporter.spark.__main__ import main
    main()
"""

from __future__ import annotations

import sys

from exporter.cli.process import messages
from exporter.cli.process.signals import end_at_signals


def main() -> None:
    """Run the command line (`exporter.cli.spark`); a signal ends it with a message."""
    messages.use_json(wanted=messages.asks_for_json(sys.argv))
    end_at_signals()
    # Not at the top: this import takes a quarter of a second, in which a signal may come.
    from exporter.cli.spark import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
