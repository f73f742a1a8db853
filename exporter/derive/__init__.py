"""The derivation: it drops duplicates and makes the derived tables, with DuckDB.

Each `.sql` file makes a derived table (`tables/README.md` defines it), or something that several of
them use. `steps.py` has their order and needs. DuckDB runs them over the Parquet files of a staged
or a published snapshot, within a memory limit, and spills to disk.
"""
