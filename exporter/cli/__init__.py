"""The command line: it parses, calls `exporter.run` and what is below it, and shows what came.

`app` is the tree of commands and `commands/` holds a module for each; those import what is heavy
only when they run, so that `--help` answers at once. Beside them: `options` are the flags that
several commands share, `failures` turns errors into a sentence and an exit code, `signals` into
an orderly end; `streams` keeps stderr from ending a run, `logs` configures structlog, `progress`
and `summary` are what a person sees of a run, `metrics` what a monitoring system sees, and
`reports` writes files for such programs.
"""

from exporter.cli.app import main

__all__ = ["main"]
