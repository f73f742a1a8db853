"""A page names every image whose sizes do not add up, and of usual sizes no other."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.sources.cloud.decode.images import decode_images
from tests.tables.pages import page_body

USUAL = st.integers(0, 2000) | st.integers(-5, 2**40 // 8)
ANY = st.integers(-(2**63), 2**63 - 1)
ADDED_UP = ("layers", "layers and config", "as it is")


@st.composite
def images(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> dict[str, Any]:
    layers = draw(st.lists(sizes, max_size=5))
    config = draw(st.none() | sizes)
    way = draw(st.sampled_from(ADDED_UP))
    total = sum(layers) + (config or 0) * (way == "layers and config")
    compressed = draw(sizes) if way == "as it is" else max(-(2**63), min(total, 2**63 - 1))
    image: dict[str, Any] = {"compressedSize": str(compressed)}
    image |= {"layers": [{"id": "l", "size": str(size)} for size in layers]} if layers else {}
    return image | ({} if config is None else {"config": {"size": str(config)}})


def doubted(page: list[dict[str, Any]]) -> set[str]:
    sent = [image | {"id": f"i{number}", "name": "r/a"} for number, image in enumerate(page)]
    decoded = decode_images(page_body(sent), cloud_id=None, folder_id=None)
    return set(decoded.doubtful_sizes["image_id"].to_pylist())


def wrong(page: list[dict[str, Any]]) -> set[str]:
    """Those that neither sum explains, by Python's integers, which have no end."""
    found = set()
    for number, image in enumerate(page):
        layers = sum(int(layer["size"]) for layer in image.get("layers", ()))
        config = int(image.get("config", {}).get("size", 0))
        if int(image["compressedSize"]) not in (layers, layers + config):
            found.add(f"i{number}")
    return found


@settings(max_examples=200, deadline=None)
@given(page=st.lists(images(USUAL), max_size=5))
@example(page=[{"compressedSize": "5"}, {"compressedSize": "0"}])
def test_of_usual_sizes_the_page_names_exactly_what_does_not_add_up(
    page: list[dict[str, Any]],
) -> None:
    assert doubted(page) == wrong(page)


@settings(max_examples=200, deadline=None)
@given(page=st.lists(images(ANY), max_size=4))
@example(
    page=[
        # Past 64 bits, the sum of the layers would come round to what is said.
        {"compressedSize": "0", "layers": [{"size": str(2**62)}] * 4},
        {"compressedSize": "7", "layers": [{"size": "7"}]},
    ]
)
def test_of_sizes_past_64_bits_in_all_none_that_does_not_add_up_is_left_out(
    page: list[dict[str, Any]],
) -> None:
    assert wrong(page) <= doubted(page)
