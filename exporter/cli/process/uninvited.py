"""Packages that happen to be installed, and that the program never asked for, are not let in.

Dependencies look for others that they can do without, and load what they find. What such a package,
an old or a broken one maybe, then does to a run, nobody has meant; and to load pandas, as PyArrow
does for the first list of values, takes longer than all the rest of a short command. The process of
the command line is its own, and lets none of them in; who calls the library decides for theirs.
"""

from __future__ import annotations

import os
import sys

_UNINVITED = frozenset(
    {
        *("cloudpickle", "dateutil", "numpy", "pandas", "substrait"),  # PyArrow looks for these,
        *("aiodns", "backports.zstd", "brotli", "brotlicffi"),  # aiohttp for these,
        *("better_exceptions", "greenlet", "twisted"),  # structlog,
        "tornado",  # tenacity,
        "bcrypt",  # and cryptography.
    }
)


class _Door:
    """Stands before all finders of modules.

    None in `sys.modules` would not do: what Cython has compiled takes that for the module.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in _UNINVITED or (name.startswith("rich") and _structlog_asks()):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _structlog_asks() -> bool:
    """Whether structlog is being loaded: the tracebacks it wants rich for are never shown.

    What draws on a terminal imports rich itself, and other commands need not wait for it.
    """
    loaded = sys.modules.get("structlog")
    return loaded is not None and not hasattr(loaded, "get_logger")


def let_none_in() -> None:
    """Have this process find, from now on, no package that is there by chance."""
    sys.meta_path.insert(0, _Door())
    # Any package may bring a plug-in of pydantic, and to look for them is to read of each.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
