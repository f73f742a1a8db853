"""Names, labels, descriptions and other fields of clouds, folders, registries, repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .lifelike import repository_paths, resource_name
from .oddities import odd_resource
from .values import coin, seeded_int, timestamp

if TYPE_CHECKING:
    from .shape import Shape

_TEAMS = (
    "analytics", "billing", "catalog", "checkout", "core", "data", "edge", "fraud", "growth",
    "identity", "infra", "logistics", "maps", "media", "ml", "mobile", "payments", "platform",
    "pricing", "risk", "search", "security", "storefront", "support",
)  # fmt: skip
_SERVICES = (
    "api", "auth", "backend", "batch", "cache", "consumer", "cron", "exporter", "frontend",
    "gateway", "importer", "indexer", "ingest", "migrations", "notifier", "nginx", "proxy",
    "queue", "reports", "scheduler", "sidecar", "sync", "trainer", "webhook", "worker",
)  # fmt: skip
_FAMILY = ("app", "app-api", "app.api", "app/api", "app/api/v2", "app0", "app_api", "app-2")
"""Names whose order depends on the collation; one is the beginning of another."""
_FOLDER_STATES = ("ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "PENDING_DELETION", "DELETING")
_REGISTRY_STATES = ("ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "CREATING", "DELETING")
_BEGIN, _END = 1_514_764_800, 1_609_459_200
"""The times of clouds, folders and registries, 2018 to 2021, in seconds since 1970."""
_FRACTIONS = (0, 123_000_000, 123_456_000, 123_456_789)


def repository_names(shape: Shape, registry_id: str, count: int) -> list[str]:
    """`count` full names of repositories of one registry, sorted, no two the same."""
    seed = shape.seed
    if shape.lifelike:
        return sorted(
            f"{registry_id}/{path}" for path in repository_paths(seed, registry_id, count)
        )
    paths = list(_FAMILY[: count // 4])
    for team in range(count - len(paths)):
        at = seeded_int(seed, f"{registry_id}|{team}")
        name = f"{_TEAMS[at % len(_TEAMS)]}/{_SERVICES[at // 64 % len(_SERVICES)]}"
        paths.append(f"{name}-{team}" if team % 5 else f"{name}/v{team}")
    return sorted(f"{registry_id}/{path}" for path in paths)


def name_resource(
    kind: str, number: int, shape: Shape, resource_id: str, place: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """A cloud, folder or registry as the API shows it, except for the ids of its parents.

    `place` is a registry's: the number of its folder, and its own number there. Labels,
    descriptions and fractions of a second are there for some and absent for others.
    """
    at = seeded_int(shape.seed, f"{kind}|{number}")
    resource: dict[str, Any] = {
        "id": resource_id,
        "createdAt": timestamp(_BEGIN + at % (_END - _BEGIN), _FRACTIONS[at >> 8 & 3]),
        "name": f"{_TEAMS[at // 7 % len(_TEAMS)]}-{kind}-{number}",
    }
    if kind != "registry" and coin(shape.seed, f"{resource_id}|description") < 0.6:
        resource["description"] = f"The {kind} of {_TEAMS[at // 3 % len(_TEAMS)]}, since 2019 – ok"
    if coin(shape.seed, f"{resource_id}|labels") < 0.6:
        resource["labels"] = {
            "team": _TEAMS[at // 5 % len(_TEAMS)],
            "cost-center": str(at % 1000),
            "env": ("prod", "stage", "")[at // 11 % 3],
        }
    if kind == "folder":
        resource["status"] = _FOLDER_STATES[at // 13 % len(_FOLDER_STATES)]
    if kind == "registry":
        resource["status"] = _REGISTRY_STATES[at // 13 % len(_REGISTRY_STATES)]
    if shape.lifelike:
        resource["name"] = resource_name(kind, number, place)
    return resource | odd_resource(kind, number, shape)
