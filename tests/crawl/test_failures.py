"""What can be done about a call that failed for good, and what is missing then."""

from __future__ import annotations

import pytest

from exporter.errors import ApiError, StatusError, UnreachableError
from exporter.http.types import Call
from exporter.sources.cloud.restarts import MAX_RESTARTS
from exporter.sources.cloud.split.failures import FailureAction, handle_failure
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan

CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def refused(status: int, code: str = "") -> StatusError:
    return StatusError("no", call="GET /", scope="images", http_status=status, code=code)


SILENCE = UnreachableError("no answer", call="GET /", scope="images")


def scan_of(
    repository: str | None, direction: Direction = Direction.ASCENDING, *, pages: int = 0
) -> Scan:
    scan = Scan(CALL, direction, repository, 10, 0, SplitPolicy())
    for number in range(pages):
        scan.cursor.advance(f"token {number}", items=10)
    return scan


@pytest.mark.parametrize("repository", [None, "crp1/app"])
def test_a_refused_order_is_asked_for_more_modestly_down_to_none(repository: str | None) -> None:
    scan = scan_of(repository)
    actions, orders = (
        [],
        [dict(scan.cursor.call.params).get("orderBy") if scan.cursor.call else ""],
    )
    while (action := handle_failure(scan, refused(400))) is FailureAction.AGAIN:
        actions.append(action)
        assert scan.cursor.call is not None
        orders.append(dict(scan.cursor.call.params).get("orderBy"))
    assert orders == (
        ["created_at,digest", "created_at", None]
        if repository
        else ["name,created_at,digest", "name,created_at", "name", None]
    )
    assert action is (FailureAction.ABANDON_SPLIT if repository else FailureAction.FAILED)


def test_a_page_token_that_expired_begins_a_scan_again_a_few_times() -> None:
    actions = []
    scan = scan_of(None)
    for attempt in range(MAX_RESTARTS + 1):
        scan.cursor.advance(f"token {attempt}", items=10)
        actions.append(handle_failure(scan, refused(400)))
    assert actions == [FailureAction.AGAIN] * MAX_RESTARTS + [FailureAction.FAILED]
    assert scan.attempts.number == MAX_RESTARTS


@pytest.mark.parametrize(
    ("repository", "error", "action"),
    [
        (None, refused(404, "NOT_FOUND"), FailureAction.FAILED),
        (None, refused(403), FailureAction.FAILED),
        (None, SILENCE, FailureAction.FAILED),
        ("crp1/app", refused(404, "NOT_FOUND"), FailureAction.GONE),
        # A gateway's, in front of another server than the registry's own scan comes to.
        ("crp1/app", refused(404), FailureAction.ABANDON_SPLIT),
        ("crp1/app", refused(403, "PERMISSION_DENIED"), FailureAction.ABANDON_SPLIT),
        ("crp1/app", refused(500), FailureAction.FAILED),
        ("crp1/app", SILENCE, FailureAction.FAILED),
    ],
)
def test_what_cannot_be_listed_is_missing_unless_its_registry_may_list_it(
    repository: str | None, error: ApiError, action: FailureAction
) -> None:
    assert handle_failure(scan_of(repository, pages=1), error) is action


@pytest.mark.parametrize("repository", [None, "crp1/app"])
@pytest.mark.parametrize("error", [refused(400), refused(403), SILENCE])
def test_a_listing_does_without_a_descending_scan_that_failed(
    repository: str | None, error: ApiError
) -> None:
    assert handle_failure(scan_of(repository, Direction.DESCENDING), error) is FailureAction.WITHOUT


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("error", [refused(404, "NOT_FOUND"), refused(400), SILENCE])
def test_an_error_of_a_scan_that_was_stopped_is_none(direction: Direction, error: ApiError) -> None:
    scan = scan_of("crp1/app", direction, pages=1)
    scan.stop()
    assert handle_failure(scan, error) is FailureAction.DONE
