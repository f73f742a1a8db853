"""The truth that snapshots are held against, computed in plain Python from what the API said.

Nothing here imports the exporter or computes with Arrow or DuckDB: the oracle and the program can
share the contract (`tables/README.md`) but no mistake. Rows are dicts by column name, in the
columns' order; times are texts such as `0001-01-01T00:00:00.000000Z`, always with six digits.
"""
