"""An estate with the names and habits of a company: for the demo, and to look at.

Repositories have habits: CI pushes without tags, teams leave old images behind, models contain
their weights. Everything follows from names, so it is the same for the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import DAY, seeded_int

if TYPE_CHECKING:
    from .shape import Shape

_CLOUDS = ("northwind", "northwind-sandbox", "northwind-acquired")
_AREAS = ("payments", "ml-research", "storefront", "platform", "data", "logistics", "mobile")
_ENVIRONMENTS = ("prod", "stage", "dev", "shared")
_SERVICES = (
    "api", "auth", "billing", "cart", "catalog", "checkout", "frontend", "gateway", "invoices",
    "ledger", "mailer", "notifications", "orders", "pricing", "refunds", "reports", "scheduler",
    "search", "sessions", "webhooks", "worker",
)  # fmt: skip
_KINDS = ("", "-api", "-worker", "-migrations", "-cron")
_CI, _LEGACY, _MODELS = "ci/", "legacy/", "models/"
_GIB = 1024**3
_TWO_YEARS = 2 * 365 * DAY
_GROWN = 3 * 365 * DAY


@dataclass(frozen=True, slots=True)
class Habits:
    """How a repository is used.

    Attributes:
        begin: The time of its first image, in seconds since 1970.
        span: The seconds over which its images were pushed.
        untagged: How many of 256 images have no tags; None for the number of the shape.
        layer_bytes: Size of its own largest layers; None for the size of the shape.
        careless: Whether some images have one of the estate's oddities.

    """

    begin: int
    span: int
    untagged: int | None = None
    layer_bytes: int | None = None
    careless: bool = False


def habits(shape: Shape, name: str) -> Habits:
    """The habits of the repository of this full name."""
    path = name.partition("/")[2]
    # The last push was a few days ago.
    end = shape.newest - seeded_int(shape.seed, f"end|{name}") % (3 * DAY)
    age = _GROWN // 2 + seeded_int(shape.seed, f"age|{name}") % _GROWN
    careless = seeded_int(shape.seed, f"careless|{name}") % 4 == 0
    if path.startswith(_CI):
        return Habits(end - age, age, untagged=248)
    if path.startswith(_LEGACY):
        return Habits(end - _TWO_YEARS - 40 * DAY - age, age)
    if path.startswith(_MODELS):
        return Habits(end - age, age, layer_bytes=12 * _GIB)
    return Habits(end - age, age, careless=careless)


def passed(shape: Shape, name: str, count: int) -> tuple[int, int]:
    """How many images of a repository of `count` went and came in the estate's last days.

    Teams push to what they still build. What CI pushes is deleted after a while, the oldest first.
    """
    path = name.partition("/")[2]
    if not (shape.lifelike and shape.days and count) or path.startswith(_LEGACY):
        return 0, 0
    draw = seeded_int(shape.seed, f"passed|{name}")
    if path.startswith(_CI):
        return min(count, shape.days * count // 25), shape.days * (1 + count // 40)
    is_built = path.startswith(_MODELS) or draw % 3 == 0
    return 0, shape.days * (1 + draw // 3 % 3) if is_built else 0


def is_due(habits_: Habits, index: int) -> bool:
    """Whether an image has an oddity; few have one, in careless repositories only."""
    return habits_.careless and 3 <= index % 64 < 5


def resource_name(kind: str, number: int, place: tuple[int, int]) -> str:
    """The name of a cloud, a folder or a registry.

    `number` counts all of its kind; `place` is a registry's: the number of its folder, and its own
    number there.
    """
    if kind == "cloud":
        return _numbered(_CLOUDS, number)
    if kind == "folder":
        return _numbered(_AREAS, number)
    return f"{_numbered(_AREAS, place[0])}-{_numbered(_ENVIRONMENTS, place[1])}"


def repository_paths(seed: int, registry_id: str, count: int) -> list[str]:
    """Paths of `count` repositories of a registry, no two the same."""
    paths = [
        path
        for path, fewest in (
            ("ci/build-cache", 3),
            ("legacy/monolith", 4),
            ("models/ranker-cuda", 5),
            ("ci/integration-tests", 8),
            ("models/embeddings-cuda", 12),
            ("legacy/reports-v1", 16),
        )
        if count >= fewest
    ]
    start = seeded_int(seed, registry_id)
    for number in range(count - len(paths)):
        # A step without a common factor with the number of services reaches each of them in turn.
        turn, at = divmod(number, len(_SERVICES))
        service = _SERVICES[(start + 8 * at) % len(_SERVICES)]
        kind, again = _KINDS[turn % len(_KINDS)], turn // len(_KINDS)
        paths.append(f"{service}{kind}" + (f"-v{again + 1}" if again else ""))
    return paths


def shared_out(names: list[str], shares: list[int]) -> list[int]:
    """Give many of the images to repositories of CI, and some to those with other habits."""
    given = list(shares)
    for rank, beginning in ((1, _CI), (3, _MODELS), (4, _LEGACY)):
        own = [at for at, name in enumerate(names) if f"/{beginning}" in name]
        order = sorted(range(len(given)), key=lambda at: (-given[at], at))
        if own and rank < len(order):
            given[own[0]], given[order[rank]] = given[order[rank]], given[own[0]]
    return given


def _numbered(names: tuple[str, ...], number: int) -> str:
    again, at = divmod(number, len(names))
    return names[at] + (f"-{again + 1}" if again else "")
