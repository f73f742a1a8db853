"""A span of a registry's repositories, by name: the part of it that one of several runs lists.

Together the runs find what one run finds that splits the registry, and each image once:

- *The spans of a registry share out all names*, listed or not: each begins where the one before it
  ends, the first has no beginning and the last no end. So every repository is in one span, one that
  is created meanwhile as well, and no two runs write an image of the same repository.
- *The list is relied on as in a split.* Who makes the spans has read the whole list, has held a
  sample of the images against it, and has listed a repository alone (`long_registry`). Each run
  knows what the sample shows of its span, and reads the list again before its end.
- *What contradicts the list counts as in a split.* Then the run lists the whole registry by itself,
  and keeps the rows of its span. A repository that is gone, empty or refused is noticed by the run
  whose span it is in, and by no other, so that no run waits for another.
- *Each scope proves itself*, as everywhere (`closing`).
- *An image that names no repository is in no span*, so that it fails the listing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.errors import AnswerError
from exporter.http.address import call_line
from exporter.http.types import Call


@dataclass(frozen=True)
class Span:
    """The names from `first` on, and before `end`; None where it has no end.

    `names` are those in it that the list has, sorted. `shares` is the share of the sampled images
    that each has, and `images` how many images the registry may have.
    """

    first: str
    end: str | None
    names: tuple[str, ...]
    shares: Mapping[str, float]
    images: float | None

    def holds(self, name: str) -> bool:
        """Return whether a repository is in it, by its full name."""
        return self.first <= name and (self.end is None or name < self.end)


def spans(
    names: Sequence[str],
    weights: Sequence[float],
    shares: Mapping[str, float],
    images: float | None,
    count: int,
) -> list[Span]:
    """Return so many spans at most, of about the same weight, of a registry's sorted `names`."""
    whole = sum(weights)
    cuts = [0]
    before = 0.0
    for place, weight in enumerate(weights):
        # It begins the next span where it lies more on that one's side.
        if place > cuts[-1] and before + weight / 2 >= whole * len(cuts) / count:
            cuts.append(place)
        before += weight
    ends = [*cuts[1:], len(names)]
    return [
        Span(
            names[begin] if begin else "",
            names[end] if end < len(names) else None,
            tuple(names[begin:end]),
            {name: shares[name] for name in names[begin:end] if name in shares},
            images,
        )
        for begin, end in zip(cuts, ends, strict=True)
    ]


def nameless(call: Call) -> AnswerError:
    """Return the error for images that are in no span, because they name no repository."""
    return AnswerError(
        "images of the registry name no repository, so that they are in none of the parts that it "
        "is listed in; list it with one machine",
        call=call_line(call),
        scope=call.scope,
        calls=0,
    )
