"""What a row is: the tables' Arrow schemas, and pages of bytes turned into their rows.

Knows no HTTP and no files.
"""

from exporter.tables.schemas import FORMAT_VERSION, TABLES, WHOLE, Table

__all__ = ["FORMAT_VERSION", "TABLES", "WHOLE", "Table"]
