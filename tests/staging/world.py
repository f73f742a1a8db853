"""Pages to stage: a number's page has the number's rows, body and summary, always the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.staging.journal import Journal
from exporter.staging.layout import StagedFile
from exporter.staging.parquet import Parts
from exporter.staging.stage import Stage
from exporter.tables.schemas import TABLES

ROOT = Path(__file__).parents[2]


def key_of(number: int) -> str:
    return f"page {number}"


def body_of(number: int) -> bytes:
    return f"body {number} ".encode() * 200


def summary_of(number: int) -> bytes:
    return f"summary {number}".encode()


def rows_of(number: int, count: int = 2) -> dict[str, pa.Table]:
    """Return `count` images and one layer, their ids made from the page's number."""
    images = [
        {"image_id": f"{number}.{place}", "compressed_size": number} for place in range(count)
    ]
    layers = [{"image_id": f"{number}.0", "position": 0, "size": number}]
    return {
        "images": pa.Table.from_pylist(images, TABLES["images"].schema),
        "layers": pa.Table.from_pylist(layers, TABLES["layers"].schema),
    }


async def keep(stage: Stage, *numbers: int, inline: bool = False) -> None:
    for number in numbers:
        await stage.keep(
            key_of(number), summary_of(number), body_of(number), rows_of(number), inline=inline
        )


def image_ids(files: list[StagedFile]) -> list[str]:
    """Return the ids of the images in finished parts."""
    return [
        id_
        for file in files
        if file.table == "images"
        for id_ in pq.read_table(file.path)["image_id"].to_pylist()
    ]


def write_until_killed(staging: Path) -> None:
    """Keep page after page, seal now and then, and say aloud what was committed."""
    with Journal(staging) as journal:
        numbers = {table: number + 1 for table, number, _ in journal.parts()}
        with Parts(staging, numbers) as parts:
            number = journal.kept_before
            while True:
                for _ in range(3):
                    parts.append(rows_of(number))
                    key, body = key_of(number), body_of(number)
                    journal.keep(key, summary_of(number), body, inline=number % 5 == 0)
                    number += 1
                journal.commit()
                if number % 2:
                    journal.seal(parts.close())
                print(number, flush=True)  # noqa: T201 - how the test is told


if __name__ == "__main__":
    write_until_killed(Path(sys.argv[1]))
