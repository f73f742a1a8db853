"""The PostgreSQL warehouse: tables partitioned by snapshot, filled by binary COPY through ADBC.

`warehouse` opens a database, lists and prunes its snapshots; `writer` writes one. Both work through
a `session` at an `address`, in `transactions` with their `locks`; `failures` makes sentences of
errors. `statements` writes the SQL of tables, `catalog` reads what is there, and `columns` turns
Arrow into what COPY takes.
"""

from exporter.load.postgresql.warehouse import connect

__all__ = ["connect"]
