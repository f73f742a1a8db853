"""The statements with which other engines read published snapshots, or load them, in SQL.

`write.py` makes the script of one dialect. `dialects.py` states the dialects: names, quotes, and
what each calls the types of the tables. `location.py` says where the snapshots are. `external.py`
has the engines that read Parquet where it is, `manifest_lines.py` those of them that read the
manifest as lines, and `bulk.py` the engines that copy the rows.
"""
