"""What the exporter is measured against: each module is a whole program of its own.

Every one is called as `python -m benchmark.rivals.NAME --url URL --token TOKEN --output FOLDER
--slots N --page-size N` and leaves the images and their layers as Parquet below the folder.
"""
