"""The same crawl on Spark: a data source of the listed tables, and a whole export.

Everything that decides what a row is stays in the rooms below. This one cuts a scope into
partitions, runs them as tasks of a Spark job, and brings their results together on the driver.
PySpark is imported here only, and where it is used: it is the extra `spark`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.spark.source import RegistrySource
else:

    def __getattr__(name: str) -> object:
        """Import the data source when it is asked for; raises `ExporterError` without PySpark."""
        if name == "RegistrySource":
            import_module("exporter.spark.extra").require_packages()
            return import_module("exporter.spark.source").RegistrySource
        raise AttributeError(f"module 'exporter.spark' has no attribute {name!r}")


__all__ = ["RegistrySource"]
