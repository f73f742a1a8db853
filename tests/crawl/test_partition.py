"""The repositories that a split lists alone: which they are, and whether the API can be asked."""

from __future__ import annotations

import pytest

from exporter.sources.cloud.split.partition import RepositoryPartition, listable

NAMES = ["crp1/b", "crp1/a", "crp1/team/c", "crp1/a"]


def test_each_repository_is_listed_once_and_by_name() -> None:
    assert RepositoryPartition(NAMES).names == ("crp1/a", "crp1/b", "crp1/team/c")


def test_what_the_list_did_not_name_is_unlisted() -> None:
    partition = RepositoryPartition(NAMES)
    assert partition.unlisted([*NAMES, "crp1/z", "crp1/d", "crp1/z"]) == ["crp1/d", "crp1/z"]
    assert partition.unlisted(NAMES) == []


@pytest.mark.parametrize("name", ["crp1/zUpper", "crp1/z_", "crp1/z//a", "crp1/z--a", "crp1/zü"])
def test_where_the_api_cannot_be_asked_for_one_name_the_registry_is_not_split(name: str) -> None:
    assert not listable(name)
    assert RepositoryPartition(NAMES).is_listable
    assert not RepositoryPartition([*NAMES, name]).is_listable


def test_an_empty_list_has_nothing_to_list_alone() -> None:
    assert not RepositoryPartition().is_listable
    assert RepositoryPartition().unlisted(["crp1/a"]) == ["crp1/a"]
