"""The process that forks Spark's Python workers in these tests: it has imported what they need.

Spark starts its own (`pyspark.daemon`), and each worker imports the program anew, which takes most
of a second; here a worker lists some pages.
"""

from __future__ import annotations

import gc

from pyspark import daemon

import exporter.spark.derive
import exporter.spark.source  # noqa: F401 - for the workers

if __name__ == "__main__":
    gc.freeze()
    daemon.manager()
