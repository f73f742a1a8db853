"""Pages of clouds, folders, registries and repositories: rows, absent fields, and what is new."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import PageError
from exporter.sources.cloud.decode.resources import (
    Parents,
    ResourcesPage,
    decode_resources,
    registry_of,
)
from exporter.sources.cloud.decode.values import snake_case
from exporter.tables.columns import Table
from exporter.tables.listed import CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES
from exporter.tables.schemas import TABLES

PARENTS = Parents(cloud_id="b1gcloud", folder_id="b1gfolder")
CREATED = "2026-11-23T02:00:00.123456789Z"
AT = datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC)
LABELS = {"team": "core", "": "empty key", "empty": ""}

FULL: dict[str, tuple[Table, dict[str, Any], dict[str, Any]]] = {
    "cloud": (
        CLOUDS,
        {
            "id": "b1g1",
            "createdAt": CREATED,
            "name": "main",
            "description": 'a "cloud"',
            "organizationId": "bpf1",
            "labels": LABELS,
        },
        {
            "cloud_id": "b1g1",
            "name": "main",
            "description": 'a "cloud"',
            "organization_id": "bpf1",
            "labels": LABELS,
            "created_at": AT,
        },
    ),
    "folder": (
        FOLDERS,
        {
            "id": "b1g2",
            "cloudId": "b1g1",
            "createdAt": CREATED,
            "name": "prod",
            "description": "d",
            "labels": LABELS,
            "status": "HIBERNATED",
        },
        {
            "folder_id": "b1g2",
            "cloud_id": "b1g1",
            "name": "prod",
            "description": "d",
            "status": "HIBERNATED",
            "labels": LABELS,
            "created_at": AT,
        },
    ),
    "registry": (
        REGISTRIES,
        {
            "id": "crp1",
            "folderId": "b1g2",
            "name": "images",
            "status": "ACTIVE",
            "createdAt": CREATED,
            "labels": LABELS,
        },
        {
            "registry_id": "crp1",
            "folder_id": "b1g2",
            "cloud_id": "b1gcloud",
            "name": "images",
            "status": "ACTIVE",
            "labels": LABELS,
            "created_at": AT,
        },
    ),
    "repository": (
        REPOSITORIES,
        {"name": "crp1/team/app", "id": "crp2"},
        {
            "repository_id": "crp2",
            "repository_name": "crp1/team/app",
            "registry_id": "crp1",
            "folder_id": "b1gfolder",
            "cloud_id": "b1gcloud",
        },
    ),
}
BARE: dict[str, tuple[Table, dict[str, Any], dict[str, Any]]] = {
    "cloud": (CLOUDS, {"id": "b1g1"}, {"cloud_id": "b1g1", "labels": {}}),
    "folder": (
        FOLDERS,
        {"id": "b1g2"},
        {"folder_id": "b1g2", "cloud_id": "b1gcloud", "labels": {}},
    ),
    "registry": (
        REGISTRIES,
        {"id": "crp1"},
        {"registry_id": "crp1", "folder_id": "b1gfolder", "cloud_id": "b1gcloud", "labels": {}},
    ),
    "repository": (
        REPOSITORIES,
        {"name": "crp1/app"},
        {
            "repository_name": "crp1/app",
            "registry_id": "crp1",
            "folder_id": "b1gfolder",
            "cloud_id": "b1gcloud",
        },
    ),
}


def decode(table: Table, *items: dict[str, Any], **more: Any) -> ResourcesPage:
    return decode_resources(json.dumps({table.name: items, **more}).encode(), table, PARENTS)


def row_of(page: ResourcesPage) -> dict[str, Any]:
    rows = page.rows()
    assert rows.schema.equals(page.table.schema, check_metadata=True)
    (row,) = rows.to_pylist()
    return {
        key: dict(value) if key == "labels" else value
        for key, value in row.items()
        if value is not None
    }


@pytest.mark.parametrize(("table", "item", "row"), FULL.values(), ids=FULL)
def test_a_resource_becomes_its_row_whatever_new_fields_it_has(
    table: Table, item: dict[str, Any], row: dict[str, Any]
) -> None:
    new = {"newField": {"nested": [{"number": 7, "nothing": None}]}}
    page = decode(table, item | new, nextPageToken="next", newField=[])
    assert row_of(page) == row
    assert page.next_token == "next"
    assert [one.id for one in page.resources] == [row[table.key[0]]]


@pytest.mark.parametrize(("table", "item", "row"), BARE.values(), ids=BARE)
def test_what_was_not_sent_is_null_and_labels_are_empty(
    table: Table, item: dict[str, Any], row: dict[str, Any]
) -> None:
    assert row_of(decode(table, item)) == row


def test_only_what_is_wanted_has_rows() -> None:
    page = decode(REPOSITORIES, {"name": "crp1/a"}, {"name": "crp1/b"})
    assert [one.id for one in page.resources] == ["crp1/a", "crp1/b"]
    assert page.rows(lambda name: name.endswith("b"))["repository_name"].to_pylist() == ["crp1/b"]
    assert page.rows(lambda _: False).schema.equals(REPOSITORIES.schema)


@pytest.mark.parametrize("table", [CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES])
@pytest.mark.parametrize(
    "items",
    [
        {"id": "b1g1"},
        "b1g1",
    ],
    ids=str,
)
def test_items_that_are_no_list_are_refused(table: Table, items: Any) -> None:
    with pytest.raises(PageError):
        decode_resources(json.dumps({table.name: items}).encode(), table, PARENTS)


@pytest.mark.parametrize("table", [CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES])
@pytest.mark.parametrize(
    "item", [{}, {"id": "", "name": ""}, {"id": 7, "name": 7}, None, "b1g1"], ids=str
)
def test_an_item_without_its_key_has_no_row_and_is_named(table: Table, item: Any) -> None:
    good = {"id": "b1g1", "name": "n"}
    body = json.dumps({table.name: [good, item]}).encode()
    page = decode_resources(body, table, PARENTS, "things of a parent")
    assert [one.id for one in page.resources] == ["n" if table is REPOSITORIES else "b1g1"]
    (problem,) = page.bad_values.to_pylist()
    assert (problem["listing"], problem["subject"]) == ("lost", "things of a parent")
    (lost,) = page.lost
    assert f"The {lost}, so nothing" in problem["detail"]
    assert page.doubt


@pytest.mark.parametrize("table", [CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES])
def test_an_item_without_its_key_is_named_by_what_is_known_of_it(table: Table) -> None:
    item = {"id": "rep1"} if table is REPOSITORIES else {"name": "rep1"}
    page = decode_resources(json.dumps({table.name: [item]}).encode(), table, PARENTS, "things")
    assert page.bad_values["subject"].to_pylist() == ["things: rep1"]
    assert " rep1 has no " in page.lost[0]


@pytest.mark.parametrize(
    ("wrong", "lost", "told"),
    [
        ({"name": 7}, {"name"}, "name 7"),
        ({"labels": "none"}, {"labels"}, 'labels "none"'),
        ({"labels": {**LABELS, "a": 7, "b": None}}, set(), "labels.a 7, labels.b null"),
        ({"status": ["ACTIVE"]}, {"status"}, 'status ["ACTIVE"]'),
        ({"status": True}, {"status"}, "status true"),
        ({"createdAt": 1764000000}, {"created_at"}, "createdAt 1764000000"),
        ({"createdAt": "2026-11-23"}, {"created_at"}, 'createdAt "2026-11-23"'),
        ({"createdAt": "y" * 999}, {"created_at"}, f'createdAt "{"y" * 59}…'),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_read_costs_itself_alone_and_is_told(
    wrong: dict[str, Any], lost: set[str], told: str
) -> None:
    _, item, row = FULL["registry"]
    page = decode(REGISTRIES, item | wrong)
    assert row_of(page) == {
        name: {} if name == "labels" and name in lost else value
        for name, value in row.items()
        if name not in lost - {"labels"}
    }
    (bad,) = page.bad_values.to_pylist()
    assert (bad["listing"], bad["subject"], bad["registry_id"]) == ("registries", "crp1", "crp1")
    assert bad["detail"] == f"These values cannot be read, and are left out: {told}."


@pytest.mark.parametrize("number", [7, 7.0])
def test_an_enum_without_a_name_is_its_number(number: float) -> None:
    page = decode(REGISTRIES, {"id": "crp1", "status": number})
    assert row_of(page)["status"] == "7"
    assert page.bad_values.num_rows == 0


@pytest.mark.parametrize(("table", "item", "row"), FULL.values(), ids=FULL)
def test_fields_may_be_spelled_as_their_message_spells_them(
    table: Table, item: dict[str, Any], row: dict[str, Any]
) -> None:
    spelled = {snake_case(name): value for name, value in item.items()}
    nulls = dict.fromkeys(item.keys() - spelled.keys())
    page = decode(table, spelled | nulls, next_page_token="next", nextPageToken=None)
    assert row_of(page) == row
    assert page.next_token == "next"


@pytest.mark.parametrize(
    "body",
    [
        {"repos": [{"name": "crp1/a"}]},
        {"code": 7, "message": "denied"},
        {"repositories": [], "nextPageToken": 7},
    ],
    ids=str,
)
def test_a_page_of_something_else_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PageError):
        decode_resources(json.dumps(body).encode(), REPOSITORIES, PARENTS)


@pytest.mark.parametrize("body", [b"{}", b'{"clouds":null}', b'{"nextPageToken":"x"}'])
def test_a_page_without_items_is_empty(body: bytes) -> None:
    page = decode_resources(body, CLOUDS, PARENTS)
    assert page.resources == ()
    assert page.rows().num_rows == 0


@pytest.mark.parametrize(
    ("name", "registry"), [("crp1/a/b", "crp1"), ("crp1", ""), ("", ""), ("/a", "")]
)
def test_a_repositorys_registry_is_what_stands_before_its_first_slash(
    name: str, registry: str
) -> None:
    assert registry_of(name) == registry


def test_every_column_and_table_is_described() -> None:
    bare = [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.schema
        if not (column.metadata or {}).get(b"description")
    ]
    assert bare == []
    assert all(
        table.description and set(table.key) <= {*table.schema.names} for table in TABLES.values()
    )
