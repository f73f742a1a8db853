"""Keeps out packages that are installed by chance, and that the program does not need.

Dependencies look for optional packages, and load those that they find. An old or broken one can
spoil a run, and some are slow: PyArrow loads pandas for its first list of values, which takes
longer than all the rest of a short command. So the command line's process imports none of them. A
program that calls the library decides for its own process.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar

_OPTIONAL = frozenset(
    {
        *("cloudpickle", "dateutil", "numpy", "pandas", "substrait"),  # PyArrow looks for these,
        *("aiodns", "backports.zstd", "brotli", "brotlicffi"),  # aiohttp for these,
        *("better_exceptions", "greenlet", "twisted"),  # structlog,
        "tornado",  # tenacity,
        "bcrypt",  # and cryptography.
    }
)


class _Blocker:
    """Stands before all finders of modules.

    None in `sys.modules` would not do: Cython's code would use None as the module.
    """

    names: ClassVar[set[str]] = {*_OPTIONAL}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self.names or (name.startswith("rich") and _structlog_imports()):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _structlog_imports() -> bool:
    """Return whether structlog is being imported: the program shows none of its rich tracebacks.

    The modules that draw on a terminal import rich themselves.
    """
    loaded = sys.modules.get("structlog")
    return loaded is not None and not hasattr(loaded, "get_logger")


def block_optional_packages() -> None:
    """From now on, let this process find none of these packages."""
    sys.meta_path.insert(0, _Blocker())
    # Any package may have a plug-in for pydantic, which would read each one's metadata.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def allow_package(name: str) -> None:
    """Let this process find one of these packages: a package that is needed needs it in turn."""
    _Blocker.names.discard(name)
