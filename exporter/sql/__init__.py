"""DuckDB as this program uses it: the engine, and the scripts that make tables from tables."""
