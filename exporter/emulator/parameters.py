"""The parameters of the five list calls, checked by the API's rules, and the scope they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .ordering import IMAGE_KEYS, REPOSITORY_KEYS, SortKeys, parse_order
from .status import invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .estate import Estate
    from .layout import Scope

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(/([a-z0-9]+(?:[._-][a-z0-9]+)*))*")
_FILTER = re.compile(r'\s*name\s*=\s*"((?:[^"\\]|\\.)*)"\s*')
_FILTER_VALUE = 256
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1000


@dataclass(frozen=True, slots=True)
class Call:
    """The definition of one list call.

    Attributes:
        name: The key of its items in the answer; it identifies the call.
        path: Its path.
        scopes: The parameters that name the scope; the first one given counts.
        required: Whether one of them must be given.
        sort_keys: The keys for `orderBy`; empty if the call has no `orderBy`.
        longest: The most characters of each parameter.

    """

    name: str
    path: str
    scopes: tuple[str, ...]
    required: bool
    sort_keys: tuple[str, ...]
    longest: dict[str, int]


_REGISTRY_LENGTHS = {"pageToken": 100, "filter": 1000, "orderBy": 100}
_MANAGER_LENGTHS = {"pageToken": 2000, "filter": 1000}

CALLS = (
    Call(
        name="clouds",
        path="/resource-manager/v1/clouds",
        scopes=(),
        required=False,
        sort_keys=(),
        longest=_MANAGER_LENGTHS | {"organizationId": 50},
    ),
    Call(
        name="folders",
        path="/resource-manager/v1/folders",
        scopes=("cloudId",),
        required=True,
        sort_keys=(),
        longest=_MANAGER_LENGTHS | {"cloudId": 50},
    ),
    Call(
        name="registries",
        path="/container-registry/v1/registries",
        scopes=("folderId",),
        required=True,
        sort_keys=(),
        longest=_REGISTRY_LENGTHS | {"folderId": 50},
    ),
    Call(
        name="repositories",
        path="/container-registry/v1/repositories",
        scopes=("registryId", "folderId"),
        required=True,
        sort_keys=REPOSITORY_KEYS,
        longest=_REGISTRY_LENGTHS | {"registryId": 50, "folderId": 50},
    ),
    Call(
        name="images",
        path="/container-registry/v1/images",
        scopes=("repositoryName", "registryId", "folderId"),
        required=True,
        sort_keys=IMAGE_KEYS,
        longest=_REGISTRY_LENGTHS | {"registryId": 50, "folderId": 50, "repositoryName": 1000},
    ),
)
"""The five list calls."""


@dataclass(frozen=True, slots=True)
class Query:
    """One list call with its parameters, checked.

    Attributes:
        call: The call.
        scope_id: The id of the scope; empty for all clouds.
        organization_id: The organization of the clouds; empty for any.
        name: The name in `filter`; None without one.
        sort_keys: The keys to sort by.
        page_size: The most items to send.
        page_token: The page token, or an empty text.
        key: The other parameters in a fixed order; a page token is bound to it.

    """

    call: Call
    scope_id: str
    organization_id: str
    name: str | None
    sort_keys: SortKeys
    page_size: int
    page_token: str
    key: str


def parse_query(
    call: Call, given: Iterable[tuple[str, str]], *, descending: str, bound_to_size: bool = True
) -> Query:
    """Check the parameters of a call; `bound_to_size` says whether a token is bound to `pageSize`.

    Raises:
        StatusError: 400, for parameters that the API refuses.

    """
    values: dict[str, str] = {}
    for name, value in given:
        if name not in call.longest and name != "pageSize":
            raise invalid(f"there is no parameter {name}")
        if name in values:
            raise invalid(f"{name} is given twice")
        values[name] = value
        if len(value) > call.longest.get(name, 20):
            raise invalid(f"{name} is longer than {call.longest.get(name, 20)} characters")
    values = {name: value for name, value in values.items() if value}
    if not _REPOSITORY.fullmatch(values.get("repositoryName", "x")):
        raise invalid("repositoryName does not have the form of one")
    scope_ids = [values[name] for name in call.scopes if name in values]
    if call.required and not scope_ids:
        raise invalid(f"{' or '.join(call.scopes)} is required")
    token = values.pop("pageToken", "")
    bound = sorted(name for name in values if bound_to_size or name != "pageSize")
    return Query(
        call=call,
        scope_id=scope_ids[0] if scope_ids else "",
        organization_id=values.get("organizationId", ""),
        name=_parse_filter(values["filter"]) if "filter" in values else None,
        sort_keys=parse_order(values.get("orderBy", ""), call.sort_keys, descending=descending),
        page_size=_parse_page_size(values.get("pageSize", "0")),
        page_token=token,
        key=f"{call.name}?" + "&".join(f"{name}={values[name]}" for name in bound),
    )


def find_scope(query: Query, estate: Estate) -> Scope | None:
    """The scope of the call; None for all clouds.

    Raises:
        StatusError: 404, if there is no such resource, or it is of another kind.

    """
    if not query.call.scopes:
        return None
    scope = estate.find(query.scope_id)
    kinds = {"cloudId": 0, "folderId": 1, "registryId": 2, "repositoryName": 3}
    if scope is None or len(scope.parents) not in {kinds[name] for name in query.call.scopes}:
        raise not_found(query.scope_id)
    return scope


def _parse_filter(text: str) -> str:
    match = _FILTER.fullmatch(text)
    if not match or len(match[1]) > _FILTER_VALUE:
        raise invalid('filter has to be of the form name = "value"')
    return re.sub(r"\\(.)", r"\1", match[1])


def _parse_page_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _LARGEST_PAGE:
        raise invalid(f"pageSize has to be a number from 0 to {_LARGEST_PAGE}")
    return int(text) or _DEFAULT_PAGE
