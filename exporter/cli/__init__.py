"""The command line: it parses, calls `exporter.run` and what is below it, and shows what came.

`app` has `main`, which starts the program. Each command is one module of its own name, with its
flags, its run and what it prints; `groups` imports that module when the command is called, so
that `--help` answers at once. `options` are the flags that several commands share. `terminal/` has
what a person sees, `process/` what the process does: signals, streams, logs, errors, metrics.
"""

from exporter.cli.app import main

__all__ = ["main"]
