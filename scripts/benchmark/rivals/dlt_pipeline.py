"""dlt's REST API source, set up as its documentation advises for speed.

Registries are listed in parallel, each page after page: `parallelized` on the dependent resources
(dlt, "REST API source", "Per-resource parallelization") with as many threads as the exporter has
slots, files rotated so that normalizing is spread over all cores ("Optimizing dlt"), Parquet on
the local disk. Nested layers and tags become child tables, as they do by themselves.
"""

from __future__ import annotations

import os
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

from benchmark.rivals.task import Task, read_task


def main() -> None:
    """Run the pipeline: extract, normalize, load."""
    task = read_task()
    configure(task.slots)
    pipeline = dlt.pipeline(
        pipeline_name="registry",
        pipelines_dir=str(task.output / "work"),
        destination=dlt.destinations.filesystem(bucket_url=(task.output / "bucket").as_uri()),
        dataset_name="registry",
    )
    source = rest_api_source(source_config(task), name="registry")
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()


def configure(slots: int) -> None:
    """Set dlt up as its performance guide says."""
    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["runtime.log_level"] = "CRITICAL"
    dlt.config["extract.workers"] = slots
    dlt.config["extract.max_parallel_items"] = slots
    dlt.config["data_writer.buffer_max_items"] = 5_000
    dlt.config["sources.data_writer.file_max_items"] = 5_000
    dlt.config["normalize.workers"] = os.cpu_count() or 1
    dlt.config["normalize.start_method"] = "spawn"


def source_config(task: Task) -> Any:
    """Return clouds, their folders, their registries and their images as dlt's configuration."""

    def child_of(parent: str, param: str) -> dict[str, str]:
        return {param: f"{{resources.{parent}.id}}"}

    def resource(path: str, parent: dict[str, str]) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        params = {"pageSize": task.page_size, **parent}
        endpoint = {"path": path, "data_selector": name, "params": params}
        return {"name": name, "endpoint": endpoint, "parallelized": bool(parent)}

    return {
        "client": {
            "base_url": task.url,
            "auth": {"type": "bearer", "token": task.token},
            "paginator": {
                "type": "cursor",
                "cursor_path": "nextPageToken",
                "cursor_param": "pageToken",
            },
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "append"},
        "resources": [
            resource("resource-manager/v1/clouds", {}),
            resource("resource-manager/v1/folders", child_of("clouds", "cloudId")),
            resource("container-registry/v1/registries", child_of("folders", "folderId")),
            resource("container-registry/v1/images", child_of("registries", "registryId")),
        ],
    }


if __name__ == "__main__":
    main()
