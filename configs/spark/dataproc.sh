#!/bin/sh
# An export on Dataproc (Google Cloud). Every machine of the cluster has this program in its Python:
#
#   gcloud dataproc clusters create inventory --region "$REGION" --num-workers 4 \
#     --initialization-actions gs://bucket/install.sh
#
# where install.sh installs this program with its extra `spark` from your wheel or Git server, and
# mounts a shared file system (Filestore) at /mnt/shared for output.staging.
set -eu
here=$(dirname "$0")

exec gcloud dataproc jobs submit pyspark "$here/export_on_spark.py" \
    --cluster "${CLUSTER:-inventory}" \
    --region "${REGION:?a region such as europe-west4}" \
    --files "$here/export.yaml" \
    --properties "spark.dynamicAllocation.enabled=false,spark.executor.instances=${EXECUTORS:-8},spark.executor.cores=2" \
    -- --config export.yaml --log-format json "$@"
