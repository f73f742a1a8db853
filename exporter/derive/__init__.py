"""What follows from the rows: duplicates dropped, and the derived tables, by DuckDB.

One `.sql` file says what a derived table is (`tables/README.md` defines each), or says once what
several of them build on; `steps.py` names those, and which needs which. DuckDB runs them over
Parquet within a memory limit, spilling: over a staged snapshot, or over a published one.
"""
