"""What follows from the rows: duplicates dropped, and the derived tables, by DuckDB.

One `.sql` file says what a derived table is (`tables/README.md` defines each), or says once what
several of them build on; `tables.py` names those, and which needs which. DuckDB runs them over the
staged Parquet within a memory limit, spilling below the staging folder.
"""
