"""What a row is: the tables' Arrow schemas, and pages of bytes turned into their rows.

Knows no HTTP and no files.
"""
