#!/bin/sh
# An export on Kubernetes, by Spark's own scheduler. The image has Spark, this program and
# export_on_spark.py (Dockerfile, beside this file). The driver runs in the cluster.
#
#   kubectl create namespace registry-exporter
#   kubectl -n registry-exporter create serviceaccount spark
#   kubectl -n registry-exporter create rolebinding spark --clusterrole=edit \
#     --serviceaccount=registry-exporter:spark
#   kubectl -n registry-exporter create configmap export --from-file=export.yaml
#   kubectl -n registry-exporter create secret generic key --from-file=key.json
#   KUBERNETES=https://kubernetes.example.com:6443 ./kubernetes.sh
#
# The claim `staging` is of a volume that many pods may write to (ReadWriteMany).
set -eu

exec spark-submit \
    --master "k8s://${KUBERNETES:?the address of the API server}" \
    --deploy-mode cluster \
    --name registry-exporter \
    --conf spark.kubernetes.namespace=registry-exporter \
    --conf spark.kubernetes.authenticate.driver.serviceAccountName=spark \
    --conf spark.kubernetes.container.image="${IMAGE:-registry.example.com/platform/registry-exporter-spark:0.1.0}" \
    --conf spark.executor.instances="${EXECUTORS:-8}" \
    --conf spark.executor.cores=2 \
    --conf spark.executor.memory=3g \
    --conf spark.kubernetes.driver.secrets.key=/etc/registry-exporter \
    --conf spark.kubernetes.executor.secrets.key=/etc/registry-exporter \
    --conf spark.kubernetes.driver.volumes.persistentVolumeClaim.staging.options.claimName=staging \
    --conf spark.kubernetes.driver.volumes.persistentVolumeClaim.staging.mount.path=/mnt/shared \
    --conf spark.kubernetes.executor.volumes.persistentVolumeClaim.staging.options.claimName=staging \
    --conf spark.kubernetes.executor.volumes.persistentVolumeClaim.staging.mount.path=/mnt/shared \
    --conf spark.kubernetes.driver.podTemplateFile="$(dirname "$0")/driver.yaml" \
    local:///opt/registry-exporter/export_on_spark.py \
    --config /etc/export/export.yaml --log-format json "$@"
