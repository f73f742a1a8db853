"""The same crawl on Spark: a data source of the listed tables, and a whole export.

Everything that decides what a row is stays in the rooms below. This one cuts a scope into
partitions, runs them as tasks of a Spark job, and brings their results together on the driver.
PySpark is imported here only, and where it is used: it is the extra `spark`.
"""
