"""registry-exporter: a complete inventory of a Container Registry, published as a snapshot.

This is the whole public API:

- `await export(settings)` takes an inventory and returns the snapshot's `Manifest`; `await
  plan(settings)` says what it would list. A `Progress` that is given to them can be watched.
- `open_snapshot(output)` reads a published `Snapshot`: its files, PyArrow datasets, DuckDB views.
- `list_snapshots(output)`, `verify(output)` and `await prune(output)` do what the commands do.
  `output` is the URL of an output, or the `Settings` of its exports.
- `diff(before, after)` compares two snapshots.
- `reclaim(snapshot, policy)` says what deleting some images would free.
- What they raise is in `errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter import errors
    from exporter.analyze.diff import Diff, diff
    from exporter.analyze.reclaim import ReclaimPlan, reclaim
    from exporter.analyze.reclaim_policy import ReclaimPolicy
    from exporter.crawl.progress import Progress
    from exporter.published import list_snapshots, open_snapshot, prune
    from exporter.run import export, plan
    from exporter.settings import Settings
    from exporter.snapshots.manifest import Manifest
    from exporter.snapshots.reader import Snapshot
    from exporter.verification import verify

    __version__: str
else:
    _HOMES = {
        "Diff": "exporter.analyze.diff",
        "Manifest": "exporter.snapshots.manifest",
        "Progress": "exporter.crawl.progress",
        "ReclaimPlan": "exporter.analyze.reclaim",
        "ReclaimPolicy": "exporter.analyze.reclaim_policy",
        "Settings": "exporter.settings",
        "Snapshot": "exporter.snapshots.reader",
        "diff": "exporter.analyze.diff",
        "export": "exporter.run",
        "list_snapshots": "exporter.published",
        "open_snapshot": "exporter.published",
        "plan": "exporter.run",
        "prune": "exporter.published",
        "reclaim": "exporter.analyze.reclaim",
        "verify": "exporter.verification",
    }

    def __getattr__(name: str) -> object:
        """Import what is asked for when it is: the command's `--help` needs none of it.

        Type checkers do not see this, so they know every name and no other.
        """
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        if name == "errors":
            return import_module("exporter.errors")
        if name == "__version__":
            return import_module("importlib.metadata").version("registry-exporter")
        raise AttributeError(f"module 'exporter' has no attribute {name!r}")


__all__ = [
    "Diff",
    "Manifest",
    "Progress",
    "ReclaimPlan",
    "ReclaimPolicy",
    "Settings",
    "Snapshot",
    "__version__",
    "diff",
    "errors",
    "export",
    "list_snapshots",
    "open_snapshot",
    "plan",
    "prune",
    "reclaim",
    "verify",
]
