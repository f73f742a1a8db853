"""The programs beside the exporter: each module is a whole program.

Each is called as `python -m benchmark.rivals.NAME --url URL --token TOKEN --output FOLDER --slots N
--page-size N` and leaves the images and their layers as Parquet below the folder.
"""
