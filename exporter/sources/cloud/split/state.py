"""The state of one registry's listing: its phase, and its questions beside its scans."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """The ways in which a registry is listed."""

    SCANNING = "its own scans list it, and it may be split"
    SPLIT = "its repositories are listed one by one, and the list of them is relied on"
    UNSPLIT = "it may not be split, or not any more"
    DONE = "its listing has ended"


_MAY_FOLLOW = {
    Phase.SCANNING: {Phase.SPLIT, Phase.UNSPLIT, Phase.DONE},
    Phase.SPLIT: {Phase.UNSPLIT, Phase.DONE},
    Phase.UNSPLIT: {Phase.DONE},
    Phase.DONE: set(),
}
"""The phases that may follow each phase: lost trust in the repository list does not return."""


class Asked(Enum):
    """The states of a question."""

    NOT_YET = "it was not asked"
    AWAITED = "its answer is awaited"
    ANSWERED = "its answer has come"


_MAY_COME = {
    Asked.NOT_YET: {Asked.AWAITED},
    Asked.AWAITED: {Asked.ANSWERED},
    Asked.ANSWERED: {Asked.NOT_YET},
}
"""The states that may follow each state. After its answer, a question may be asked once more."""


class Question:
    """A question that a listing asks once, while its scans run."""

    def __init__(self) -> None:
        self._asked = Asked.NOT_YET

    @property
    def asked(self) -> Asked:
        """Its state."""
        return self._asked

    @property
    def is_awaited(self) -> bool:
        """Whether it was asked, and its answer has not come yet."""
        return self._asked is Asked.AWAITED

    def become(self, asked: Asked) -> None:
        """Change its state; raises `RuntimeError` if that state may not follow."""
        if asked not in _MAY_COME[self._asked]:
            raise RuntimeError(f"a question that is {self._asked.name} cannot be {asked.name}")
        self._asked = asked


class ListingState:
    """The phase of a registry's listing, and its two questions.

    `sample` asks for a sample of the images, and `second_list` for the repository list once more.
    They are not phases, because both are asked while scans run: the sample before a split, or after
    it if an earlier attempt has split the registry, and the list before the end.
    """

    def __init__(self, *, may_split: bool) -> None:
        self._phase = Phase.SCANNING if may_split else Phase.UNSPLIT
        self.sample = Question()
        self.second_list = Question()

    def enter(self, phase: Phase) -> None:
        """Change to another phase; raises `RuntimeError` if it may not follow."""
        if phase is self._phase:
            return
        if phase not in _MAY_FOLLOW[self._phase]:
            raise RuntimeError(f"a listing that is {self._phase.name} cannot become {phase.name}")
        self._phase = phase

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._phase

    @property
    def is_split(self) -> bool:
        """Whether the repositories are listed one by one."""
        return self._phase is Phase.SPLIT

    @property
    def trusts_list(self) -> bool:
        """Whether the repository list is relied on, or may be."""
        return self._phase in (Phase.SCANNING, Phase.SPLIT)

    @property
    def is_done(self) -> bool:
        """Whether the listing has ended."""
        return self._phase is Phase.DONE

    @property
    def may_split_now(self) -> bool:
        """Whether a sample has confirmed the list, and the end has not begun."""
        return self.sample.asked is Asked.ANSWERED and self.second_list.asked is Asked.NOT_YET
