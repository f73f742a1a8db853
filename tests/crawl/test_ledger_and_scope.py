"""The ledger's verdicts, and which names the user's scope holds."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.crawl.coverage import Coverage, ListingStatus
from exporter.crawl.progress import Progress
from exporter.errors import AnswerError, ApiError, IncompleteError, StatusError, UnreachableError
from exporter.settings import Repositories, Scope
from exporter.sources.cloud.levels import CloudAdvice
from exporter.sources.cloud.scope import ScopeFilter
from exporter.sources.patterns import Patterns
from exporter.tables.schemas import TABLES


def answered(status: int, code: str = "") -> StatusError:
    return StatusError("it said no", call="GET /", scope="images", http_status=status, code=code)


NO_ANSWER = UnreachableError("no whole answer", call="GET /", scope="images", calls=8)
NO_PAGE = AnswerError("not a page", call="GET /", scope="images")


@pytest.mark.parametrize(
    ("error", "known", "pages", "status"),
    [
        (answered(401, "UNAUTHENTICATED"), True, 0, "denied"),
        (answered(403, "PERMISSION_DENIED"), True, 0, "denied"),
        (answered(403, "PERMISSION_DENIED"), True, 3, "denied"),
        (answered(404, "NOT_FOUND"), True, 0, "failed"),
        (answered(404, "NOT_FOUND"), True, 3, "partial"),
        (answered(404, "NOT_FOUND"), False, 0, "failed"),
        (answered(404, "NOT_FOUND"), False, 3, "partial"),
        # A gateway's, or some other server's: the API says what it does not find.
        (answered(404), True, 0, "failed"),
        (answered(403), True, 0, "failed"),
        (answered(401), True, 3, "partial"),
        (answered(400), True, 0, "failed"),
        (answered(503), True, 2, "partial"),
        (NO_ANSWER, True, 0, "failed"),
        (NO_ANSWER, True, 1, "partial"),
        (NO_PAGE, True, 0, "failed"),
    ],
)
def test_an_error_ends_a_listing_with_its_verdict(
    error: ApiError, known: bool, pages: int, status: str
) -> None:
    entry = Coverage(Progress()).open("images", "crp1", known=known)
    entry.begin()
    for _ in range(pages):
        entry.page(calls=1)
    entry.fail(error)
    assert entry.status == status
    assert not entry.whole
    assert entry.message is not None
    assert error.message in entry.message
    assert entry.http_status == (error.http_status if isinstance(error, StatusError) else None)
    assert entry.finished_at is not None


@pytest.mark.parametrize(("gone", "status"), [(True, "vanished"), (False, "partial")])
def test_what_is_not_found_has_vanished_once_it_is_known_to_be_gone(
    gone: bool, status: str
) -> None:
    coverage = Coverage(Progress())
    doubted: list[ListingStatus] = []
    coverage.on_not_found = doubted.append
    entry = coverage.open("images", "crp1")
    entry.page(calls=1)
    entry.fail(answered(404, "NOT_FOUND"))
    assert doubted == [entry]
    entry.resolve(gone=gone, reason="and here is how that is known")
    assert entry.status == status
    assert entry.message is not None
    assert entry.message.endswith("and here is how that is known")
    for error, known in [(answered(404), True), (answered(404, "NOT_FOUND"), False)]:
        coverage.open("images", "crp2", known=known).fail(error)
    assert doubted == [entry]


def test_calls_and_retries_are_counted() -> None:
    entry = Coverage(Progress()).open("images", "crp1")
    entry.page(calls=1)
    entry.page(calls=4)
    entry.spent(3)
    assert (entry.pages, entry.calls, entry.retries) == (2, 8, 5)


def test_a_failed_listing_that_is_forgiven_does_not_make_a_snapshot_partial() -> None:
    coverage = Coverage(Progress())
    entry = coverage.open("clouds", "*")
    entry.fail(answered(403, "PERMISSION_DENIED"))
    before = coverage.complete
    entry.forgive()
    assert (before, coverage.complete) == (False, True)
    assert entry.status == "skipped"
    assert entry.error_code == "PERMISSION_DENIED"


def test_a_ledger_is_complete_only_when_every_listing_is_whole() -> None:
    coverage = Coverage(Progress())
    coverage.open("clouds", "*").complete()
    coverage.open("images", "crp1").skip("left out")
    gone = coverage.open("images", "crp2")
    gone.fail(answered(404, "NOT_FOUND"))
    gone.resolve(gone=True, reason="and its parent does not name it")
    before = coverage.complete
    open_still = coverage.open("images", "crp3")
    under_way = coverage.complete
    open_still.fail(answered(403, "PERMISSION_DENIED"))
    assert (before, under_way, coverage.complete) == (True, False, False)
    assert coverage.counts() == {"complete": 1, "denied": 1, "skipped": 1, "vanished": 1}


DENIED, GONE = answered(403, "PERMISSION_DENIED"), answered(404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("error", "pages", "words"),
    [
        (DENIED, 0, "Nothing could be listed: the listing of images of crp1 was denied: "),
        (DENIED, 0, "; give these credentials a role that may view it"),
        (GONE, 0, "Nothing could be listed: the listing of images of crp1 failed: "),
        (GONE, 0, "; check that `scope` names what there is, and run again."),
        (NO_ANSWER, 0, "; run again once that is repaired."),
        (answered(501, "UNIMPLEMENTED"), 0, "; check that `domain` and `endpoints` name"),
        (NO_ANSWER, 2, "1 of 1 listing is not complete, and output.on_partial is fail, "),
        (NO_ANSWER, 2, "the listing of images of crp1 is not whole: "),
        (NO_ANSWER, 2, "; run again to resume with what was listed, or set output.on_partial"),
        (DENIED, 2, "; give these credentials a role that may view it, or leave it out with "),
        (DENIED, 2, "scope.exclude.registries: [crp1]`, or set output.on_partial to publish."),
    ],
)
def test_a_result_that_is_refused_says_what_to_do(error: ApiError, pages: int, words: str) -> None:
    coverage = Coverage(Progress())
    coverage.advice = CloudAdvice()
    entry = coverage.open("images", "crp1", known=bool(pages))
    for _ in range(pages):
        entry.page(calls=1)
    entry.fail(error)
    with pytest.raises(IncompleteError) as caught:
        coverage.refuse(partial=True)
    assert words in str(caught.value)
    assert str(caught.value).count("give these credentials") == (error is DENIED)


@pytest.mark.parametrize("pages", [0, 1])
def test_a_ledger_is_empty_until_a_page_of_anything_has_come(pages: int) -> None:
    coverage = Coverage(Progress())
    entry = coverage.open("clouds", "*")
    for _ in range(pages):
        entry.page(calls=1)
    assert coverage.empty == (pages == 0)


def test_the_coverage_table_has_a_row_for_each_listing_in_the_order_of_its_key() -> None:
    progress = Progress()
    coverage = Coverage(progress)
    for listing, parent in [("images", "crp2"), ("images", "crp1"), ("clouds", "*")]:
        coverage.open(listing, parent).complete()  # type: ignore[arg-type]
    table = coverage.table()
    assert table.schema.equals(TABLES["coverage"].schema, check_metadata=True)
    keys = list(zip(*(table[name].to_pylist() for name in ("listing", "parent_id")), strict=True))
    assert keys == [("clouds", "*"), ("images", "crp1"), ("images", "crp2")]
    assert (progress.listings_known, progress.listings_done) == (3, 3)


def test_rows_are_counted_where_they_are_kept() -> None:
    coverage = Coverage(Progress())
    coverage.open("registries", "f1").page(calls=1)
    coverage.count_rows({"registries": {"f1": 2}})
    for listing in ("repositories", "images"):
        for parent in ("crp1", "crp2"):
            coverage.open(listing, parent).page(calls=1)
    coverage.count_rows({"repositories": {"crp1": 1}, "images": {"crp1": 7, "crp2": 3}})
    assert [entry.rows for entry in coverage.entries()] == [2, 1, 0, 7, 3]


@pytest.mark.parametrize(
    ("include", "exclude", "held", "left_out"),
    [
        (["*"], [], ["app", "team/app", ""], []),
        (["team/*"], [], ["team/app", "team/a/b"], ["app", "teams/app", "xteam/app"]),
        (["*"], ["*/tmp", "tmp"], ["app/tmp2", "app"], ["app/tmp", "tmp", "a/b/tmp"]),
        (["app", "lib"], [], ["app", "lib"], ["app2", "x/app", "App"]),
        (["app-[0-9]", "?"], [], ["app-1", "x"], ["app-10", "app-x", "xy"]),
        (["team/*"], ["team/secret*"], ["team/app"], ["team/secret", "team/secrets/x"]),
    ],
)
def test_repositories_are_chosen_by_globs_on_the_path_behind_the_registry(
    include: list[str], exclude: list[str], held: list[str], left_out: list[str]
) -> None:
    wanted = ScopeFilter(Scope(repositories=Repositories(include=include, exclude=exclude)))
    assert [path for path in held if not wanted.repository(f"crp1/{path}")] == []
    assert [path for path in left_out if wanted.repository(f"crp1/{path}")] == []


@pytest.mark.parametrize(
    ("include", "exact"),
    [(["app", "a/b"], {"app", "a/b"}), (["app", "b*"], None), (["*"], None), (["a[b]"], None)],
)
def test_exact_repositories_are_those_named_without_a_wildcard(
    include: list[str], exact: set[str] | None
) -> None:
    wanted = ScopeFilter(Scope(repositories=Repositories(include=include)))
    assert wanted.exact_repositories == exact


@pytest.mark.parametrize("level", ["clouds", "folders", "registries"])
def test_ids_are_held_where_named_and_all_but_the_excluded_where_none_is(level: Any) -> None:
    named = ScopeFilter(Scope.model_validate({level: ["a", "b"]}))
    free = ScopeFilter(Scope())
    excluding = ScopeFilter(Scope.model_validate({"exclude": {level: ["b"]}}))
    setting = f"scope.{level}"
    assert [named.left_out_by(level, id_) for id_ in "abc"] == [None, None, setting]
    assert [free.left_out_by(level, id_) for id_ in "abc"] == [None, None, None]
    setting = f"scope.exclude.{level}"
    assert [excluding.left_out_by(level, id_) for id_ in "abc"] == [None, setting, None]


@pytest.mark.parametrize(
    ("names", "unmatched", "chosen"),
    [
        ([], ["team/*", "app"], False),
        (["crp1/other", "crp2/team"], ["team/*", "app"], False),
        (["crp1/app", "crp2/app"], ["team/*"], True),
        (["crp1/team/x", "crp1/app"], [], True),
        # A pattern that matches what is left out is no mistake.
        (["crp1/team/secret"], ["app"], False),
    ],
)
def test_patterns_know_what_has_matched_nothing(
    names: list[str], unmatched: list[str], chosen: bool
) -> None:
    repositories = Repositories(include=["team/*", "app"], exclude=["*/secret"])
    patterns = Patterns(repositories)
    for name in names:
        patterns.see([name])
    assert (patterns.unmatched, patterns.chosen) == (unmatched, chosen)
