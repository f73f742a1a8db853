"""The states of a scan and of a listing: what may follow what, and what is refused."""

from __future__ import annotations

import pytest

from exporter.crawl.pipeline import Cost
from exporter.http.types import Call
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.state import Asked, ListingState, Phase, Question
from exporter.sources.cloud.summary import Images

CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def new_scan() -> Scan:
    return Scan(CALL, Direction.ASCENDING, None, 10, 0, SplitPolicy())


def page(next_token: str) -> Images:
    return Images(
        listed=1,
        rows=1,
        layers=0,
        names={},
        nameless=False,
        order=None,
        ids=("i1",),
        cut=None,
        next_token=next_token,
        cost=Cost(1, 0, 0),
    )


def test_a_scan_runs_until_a_page_names_no_next_one() -> None:
    scan = new_scan()
    states = []
    for token in ("more", ""):
        scan.advance(page(token))
        states.append(scan.state)
    assert states == [ScanState.RUNNING, ScanState.EXHAUSTED]
    assert scan.is_over


def test_the_last_page_of_a_scan_that_has_met_does_not_exhaust_it() -> None:
    scan = new_scan()
    scan.meet()
    scan.advance(page(""))
    assert scan.state is ScanState.MET


def test_a_scan_that_is_about_to_begin_again_does_so_though_it_is_stopped() -> None:
    scan = new_scan()
    scan.restart_soon()
    scan.stop()
    assert not scan.is_over
    assert scan.is_unwanted
    scan.begin_again()
    assert scan.state is ScanState.RUNNING


@pytest.mark.parametrize("end", [Scan.stop, Scan.meet])
def test_a_scan_that_is_over_runs_only_after_it_was_told_to_begin_again(end: object) -> None:
    scan = new_scan()
    assert callable(end)
    end(scan)
    with pytest.raises(RuntimeError, match="cannot be RUNNING"):
        scan.begin_again()
    scan.restart_soon()
    scan.begin_again()
    assert scan.state is ScanState.RUNNING


def test_trust_in_the_repository_list_is_lost_for_good() -> None:
    state = ListingState(may_split=True)
    trusts = []
    for phase in (Phase.SCANNING, Phase.SPLIT, Phase.UNSPLIT):
        state.enter(phase)
        trusts.append(state.trusts_list)
    assert trusts == [True, True, False]
    for phase in (Phase.SCANNING, Phase.SPLIT):
        with pytest.raises(RuntimeError, match="cannot become"):
            state.enter(phase)


def test_nothing_follows_the_end_of_a_listing() -> None:
    state = ListingState(may_split=False)
    assert state.phase is Phase.UNSPLIT
    state.enter(Phase.DONE)
    for phase in (Phase.SCANNING, Phase.SPLIT, Phase.UNSPLIT):
        with pytest.raises(RuntimeError, match="cannot become"):
            state.enter(phase)


def test_a_question_is_answered_once_and_may_be_asked_again() -> None:
    question = Question()
    with pytest.raises(RuntimeError, match="cannot be ANSWERED"):
        question.become(Asked.ANSWERED)
    question.become(Asked.AWAITED)
    assert question.is_awaited
    with pytest.raises(RuntimeError, match="cannot be AWAITED"):
        question.become(Asked.AWAITED)
    question.become(Asked.ANSWERED)
    question.become(Asked.NOT_YET)
    question.become(Asked.AWAITED)


def test_a_registry_is_split_only_after_its_sample_and_before_its_end_begins() -> None:
    state = ListingState(may_split=True)
    may_split = [state.may_split_now]
    for question, asked in (
        (state.sample, Asked.AWAITED),
        (state.sample, Asked.ANSWERED),
        (state.second_list, Asked.AWAITED),
    ):
        question.become(asked)
        may_split.append(state.may_split_now)
    assert may_split == [False, False, True, False]
