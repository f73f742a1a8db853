"""Loads of published snapshots into a warehouse; `README.md` says how a load goes.

`loader` runs a load, `selection` says which snapshots, `targets` opens the warehouse. `warehouse`
is the interface of a warehouse, `tables` and `rows` are what it is given. Each kind of warehouse
has a module of its own.
"""

from exporter.load.loader import LoadResult, load

__all__ = ["LoadResult", "load"]
