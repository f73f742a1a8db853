"""Spark SQL from DuckDB's SQL: the scripts of the derivation, by sqlglot and a few rules.

`scripts` has the scripts in order and what a whole one becomes, `rules` what an expression becomes,
`by_name` what unions by name become. Each rule is exact: the same rows come out of both engines.
"""
