"""Figures as a person reads them."""

from __future__ import annotations

import pytest

from exporter.figures import age, duration, printable, share, size
from exporter.wording import number


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (10 * 1024, "10.0 KiB"),
        (734 * 1024**2, "734 MiB"),
        (1023 * 1024**2, "1.00 GiB"),
        (3 * 1024**4, "3.00 TiB"),
        (2**63, "8.00 EiB"),
    ],
)
def test_sizes_have_three_digits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (266_400, "3 d 2 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ages_begin_with_a_minute() -> None:
    assert age(12) == "just now"
    assert age(725) == "12 min ago"
    assert age(266_400) == "3 d 2 h ago"


def test_counts_agree_with_their_noun() -> None:
    assert number(1, "image") == "1 image"
    assert number(1204, "image") == "1,204 images"
    assert number(0, "registry", "registries") == "0 registries"
    assert number(12_000) == "12,000"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (0, 5, "0%"), (1, 1000, "<1%"), (37, 100, "37%"), (999, 1000, ">99%")],
)
def test_a_share_is_all_or_nothing_only_where_it_is(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_what_a_cloud_calls_its_things_cannot_steer_a_terminal() -> None:
    odd = "a\nb\x1b[31m\u202ec\u2028d\x07"
    assert printable(odd) == "a\ufffdb\ufffd[31m\ufffdc\ufffdd\ufffd"
    assert printable("перевозки 物流 🚚 caf\u00e9 \udcff") == "перевозки 物流 🚚 caf\u00e9 \udcff"
