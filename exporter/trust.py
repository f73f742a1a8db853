"""When a result is plausible: it is of the output's source and scope, and has not shrunk too much.

An API that lists only what its caller may see answers with empty lists when a role is lost, and a
mistyped scope is valid as well. Both look like a small inventory, listed completely. So a result is
compared with the output's snapshots before it may become the latest.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence

import orjson

from exporter.errors import ImplausibleError, SettingsError
from exporter.settings import Settings
from exporter.settings.values import parse_percent
from exporter.snapshots.identity import differences, identity
from exporter.snapshots.manifest import Manifest
from exporter.tables.schemas import FORMAT_VERSION
from exporter.wording import number, switch


def fingerprint(
    settings: Settings, source: Mapping[str, object], scope: Mapping[str, object], output: str
) -> str:
    """Return a digest of the settings that decide which calls a run makes, and where it writes.

    `source` and `scope` are the manifest's, `output` is the destination's `identity`. Settings that
    mean the same have the same digest, so a run can resume one with another spelling of them.
    """
    what = identity(source, scope)
    decisive = {
        "addresses": what.addresses,
        "values": what.values,
        "page_size": settings.limits.page_size,
        "split": settings.limits.split_listings,
        "format": FORMAT_VERSION,  # A snapshot has the parts of one format.
        "output": hashlib.sha256(os.fsencode(output)).hexdigest(),
    }
    return hashlib.sha256(orjson.dumps(decisive, option=orjson.OPT_SORT_KEYS)).hexdigest()


def refuse_another_scope(
    settings: Settings,
    source: Mapping[str, object],
    scope: Mapping[str, object],
    before: Sequence[Manifest],
    *,
    new_scope: bool,
) -> None:
    """Refuse a run whose source or scope is not the output's own, with `SettingsError`.

    `source` and `scope` are the manifest's. The output's own are those of its newest complete
    snapshot; `before` are all complete ones, newest first. With `new_scope`, any source and scope
    are allowed.
    """
    if new_scope or not before:
        return
    own = before[0]
    found = differences((own.source, own.scope), (source, scope))
    if found:
        raise SettingsError(
            f"{settings.output.url} holds snapshots of another source or scope, and "
            f"{own.snapshot_id} is its newest complete one: {'; '.join(found)}; name another "
            f"output.url for this one, or use {switch('new_scope')} to make it the output's own."
        )


def refuse_implausible(
    settings: Settings, manifest: Manifest, before: Sequence[Manifest], *, new_scope: bool
) -> None:
    """Refuse a complete result that is empty or too small, with `ImplausibleError`.

    It is compared with the newest of the complete snapshots `before` of the same source and scope.
    A partial result is not compared: it already says that something is missing, and never becomes
    the latest.
    """
    limit = settings.output.max_shrink
    if limit is None or manifest.status != "complete":
        return
    what = identity(manifest.source, manifest.scope)
    earlier = next((one for one in before if identity(one.source, one.scope) == what), None)
    images, expected = images_of(manifest), 0 if earlier is None else images_of(earlier)
    least = math.ceil(expected * (1 - parse_percent(limit)))
    if images and images >= least:
        return
    if earlier is None:
        against = "there is no complete snapshot before it"
    else:
        against = f"the newest complete one, {earlier.snapshot_id}, has {expected:,}"
        if images:
            against += f", of which output.max_shrink ({limit}) wants {least:,} at least"
    flags = f"{switch('new_scope')} and " if new_scope else ""
    raise ImplausibleError(
        f"Snapshot {manifest.snapshot_id} was not published: it has {number(images, 'image')}, "
        f"and {against}; check that these credentials may still "
        "view everything and that `scope` names what there is, then run again to list again, or "
        f"with {flags}{switch('accept_shrink')} to publish what is staged as it is."
    )


def images_of(manifest: Manifest) -> int:
    """Return how many images a snapshot has."""
    count = manifest.totals.get("image_count")
    return count if isinstance(count, int) else 0
