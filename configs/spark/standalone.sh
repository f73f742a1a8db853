#!/bin/sh
# An export on a standalone cluster of Spark. Every machine has this program in the same Python
# (pip install '.[spark]' at the top of a checkout), and the folder output.staging of export.yaml.
#
#   SPARK_MASTER=spark://spark:7077 ./standalone.sh
set -eu
here=$(dirname "$0")

# spark.cores.max says how many tasks run at once, and so which share of the limits each one gets.
exec spark-submit \
    --master "${SPARK_MASTER:?the address of the master, spark://HOST:7077}" \
    --conf spark.cores.max="${SPARK_CORES:-16}" \
    --conf spark.executor.memory=2g \
    --conf spark.pyspark.python="${PYSPARK_PYTHON:-/opt/registry-exporter/bin/python}" \
    "$here/export_on_spark.py" --config "$here/export.yaml" --log-format json "$@"
