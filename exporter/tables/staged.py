"""Every table that has parts while a run is under way: a snapshot's, and those of the run alone.

The rows of the latter are staged like those of the listed tables, page by page, so that they
survive with the page, come as often as it does, and are never all in memory. No snapshot has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from exporter.tables.bad_values import BAD_VALUES
from exporter.tables.columns import Table
from exporter.tables.doubtful_sizes import DOUBTFUL_SIZES
from exporter.tables.schemas import TABLES

OWN = (BAD_VALUES, DOUBTFUL_SIZES)
"""The tables that only a run has."""

STAGED: Mapping[str, Table] = MappingProxyType({**TABLES, **{table.name: table for table in OWN}})
