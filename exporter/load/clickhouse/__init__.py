"""ClickHouse: a server over HTTP, through clickhouse-connect.

`address.py` reads the URL, `connection.py` runs statements, and `failures.py` makes sentences of
those that fail. `lease.py` keeps two loaders apart, `database.py` knows the tables, `writer.py`
writes one snapshot, and `warehouse.py` is what a load is given.
"""

from exporter.load.clickhouse.warehouse import connect

__all__ = ["connect"]
