"""What spark-submit starts: an export whose tasks run on a Spark cluster.

spark-submit --master spark://spark:7077 export_on_spark.py --config cron.yaml
"""

from exporter.spark.__main__ import main

if __name__ == "__main__":
    main()
