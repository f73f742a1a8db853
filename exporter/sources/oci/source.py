"""Registries that speak the OCI distribution API, as a source (`sources.base.Source`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pyarrow as pa

from exporter.crawl.coverage import Advice, ListingStatus
from exporter.crawl.task import Task
from exporter.errors import DeniedError, ExporterError, ScopeError
from exporter.http.client import Client
from exporter.settings import OciRegistry, Settings
from exporter.settings.oci import HUB
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.oci.cache import Cache, open_cache
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.client import OciClient
from exporter.sources.oci.endpoint import Endpoint
from exporter.sources.oci.flavor import FlavorTask
from exporter.sources.oci.proofs import FIRST, Proofs
from exporter.sources.oci.reading import Reader
from exporter.sources.oci.registry import RegistryListing
from exporter.sources.oci.stalls import Stalls
from exporter.sources.oci.state import Registry
from exporter.sources.patterns import Patterns
from exporter.tables.listed import REGISTRIES, REPOSITORIES

_LET_IN = "give this user a role that may pull it, or name other credentials in oci.registries"
_LOG_IN = (
    "log in with `docker login {host}` as a user that may pull it, or correct that registry's "
    "username and password in oci.registries"
)
_NAME_THEM = "name the repositories in oci.registries, under `repositories`"
_CHECK_PATH = "check that registry's host and base path"
_NO_LIST = frozenset({"NOT_FOUND", "INVALID_ARGUMENT"})


class OciAdvice(Advice):
    """Advice that names the settings of registries."""

    def on_denied(self, status: ListingStatus) -> str:
        """See `Advice`; a 401 wants other credentials, and what is not listed can be named."""
        host = (status.parent_id or "").partition("/")[0]
        let_in = _LOG_IN.format(host=host) if status.http_status == 401 else _LET_IN
        return f"{let_in}, or {_NAME_THEM}" if status.listing == "repositories" else let_in

    def on_failed(self, status: ListingStatus) -> str:
        """See `Advice`; a registry may have no list of its repositories."""
        has_none = status.listing == "repositories" and status.error_code in _NO_LIST
        return f"{_CHECK_PATH}, or {_NAME_THEM}" if has_none else super().on_failed(status)


class OciSource:
    """Lists the registries of the settings' `oci`, as far as `scope` names them."""

    kind = "oci"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listings: list[RegistryListing] = []
        self._expected = 0
        """How many registries are listed, also those that are not known well enough yet."""
        self._patterns = Patterns(settings.scope.repositories)
        self._cache: Cache | None = None
        self._crawl: Crawl | None = None
        self._endpoints: Mapping[str, Endpoint] = {}

    def identity(self) -> Mapping[str, object]:
        """Return the registries, the repositories that are named in them, and what is read."""
        oci = self._settings.oci
        named = [f"{one.host}/{name}" for one in oci.registries for name in one.repositories]
        return {
            "kind": self.kind,
            "registries": [one.registry for one in oci.registries],
            "repositories": named,
            "configs": None if oci.configs else False,
        }

    def scope(self) -> Mapping[str, object]:
        """Return the settings' `scope`."""
        return self._settings.scope.model_dump(mode="json")

    def open_client(self) -> Client:
        """Return a client of the registries; it sends nothing until it is entered."""
        client = OciClient(self._settings, on_close=self.on_close)
        self._endpoints = client.endpoints
        return client

    def start(self, crawl: Crawl) -> None:
        """Begin to list each registry in scope."""
        self._crawl = crawl
        crawl.coverage.advice = OciAdvice()
        self._cache = self.open_cache()
        for registry in self._settings.oci.registries:
            if setting := self._left_out_by(registry.host):
                crawl.coverage.open("repositories", registry.host).skip(f"left out by {setting}")
                continue
            self._expected += 1
            begin = partial(self._begin, registry, crawl, self._cache)
            if registry.flavor == "auto":
                endpoint = self._endpoints[registry.host]
                calls = Calls(registry.host)
                crawl.scheduler.add(FlavorTask(endpoint, crawl.client, calls, begin))
            else:
                begin(registry.flavor == "harbor")

    def idle_task(self) -> Task | None:
        """Begin another repository: of the registry with the fewest that are under way."""
        for listing in sorted(self._listings, key=lambda one: one.open_count):
            task = listing.next_task()
            if task is not None:
                return task
        if len(self._listings) == self._expected and all(one.is_stalled for one in self._listings):
            for listing in self._listings:
                listing.go_on()
        return None

    def result(self) -> SourceResult:
        """Return registries and repositories; enter what was named and not found."""
        tables = {
            "registries": pa.Table.from_pylist(
                [one.row() for one in self._listings], schema=REGISTRIES.schema
            ),
            "repositories": pa.concat_tables(
                [REPOSITORIES.schema.empty_table(), *(one.repositories() for one in self._listings)]
            ),
        }
        left_out = [("registry", one.registry_id) for one in self._listings if one.left_out]
        return SourceResult(tables, left_out, self._refusal())

    def _begin(self, settings: OciRegistry, crawl: Crawl, cache: Cache, is_harbor: bool, /) -> None:
        self.add_listing(settings, crawl, cache, is_harbor=is_harbor).start()

    def add_listing(
        self,
        settings: OciRegistry,
        crawl: Crawl,
        cache: Cache,
        *,
        is_harbor: bool,
        first_proofs: int = FIRST,
    ) -> RegistryListing:
        """Add the listing of a registry, which is then to be started; see `Proofs` for the last."""
        calls = Calls(settings.host)
        reader = Reader(
            calls,
            crawl.client,
            crawl.pipeline,
            cache,
            immutable=tuple(settings.immutable_tags),
            heads=settings.host == HUB,  # Where a HEAD is not counted as a pull.
        )
        shared = Registry(
            settings.host,
            calls,
            crawl.client,
            crawl.pipeline,
            crawl.coverage,
            reader,
            crawl.scheduler.add,
            with_configs=self._settings.oci.configs,
            proofs=Proofs(cache.run, first_proofs),
            stalls=Stalls(publishes=self._settings.output.on_partial == "publish"),
            is_harbor=is_harbor,
        )
        most_open = self._settings.limits.concurrency
        listing = RegistryListing(settings, shared, crawl, self._patterns, most_open=most_open)
        self._listings.append(listing)
        return listing

    def open_cache(self) -> Cache:
        """Open the cache that the settings name."""
        return open_cache(self._settings.oci.cache)

    def on_close(self) -> None:
        """Close the cache: no call is under way any more."""
        if self._cache is not None:
            self._cache.close()

    def _left_out_by(self, host: str) -> str | None:
        scope = self._settings.scope
        if host in scope.exclude.registries:
            return "scope.exclude.registries"
        return "scope.registries" if scope.registries and host not in scope.registries else None

    def _refusal(self) -> ExporterError | None:
        """Return a `ScopeError` if nothing named was found, a `DeniedError` if all is denied."""
        if self._crawl is None:
            raise RuntimeError("the source was not started")
        coverage = self._crawl.coverage
        lost = [name for one in self._listings for name in one.not_found]
        for pattern in self._patterns.unmatched:
            if pattern.strip("*") and any(one.is_listed for one in self._listings):
                entry = coverage.open("images", pattern, known=False)
                entry.miss("it matches no repository: patterns are held against the path alone")
                lost.append(f"{pattern} of scope.repositories.include ({entry.message})")
        entries = coverage.entries()
        has_read = any(
            one.pages for one in entries if one.listing in ("tags", "manifests", "untagged")
        )
        if lost and not has_read:
            return ScopeError(
                f"Nothing of what is named was found, so nothing is published: {'; '.join(lost)}; "
                "name repositories that there are and these credentials may pull."
            )
        missing = [entry for entry in entries if not entry.whole]
        if not missing or has_read or any(entry.status != "denied" for entry in missing):
            return None
        first, more = missing[0], len(missing) - 1
        return DeniedError(
            f"Every listing was denied, so nothing is published: {first.listing} of "
            f"{first.parent_id}{f' and {more} more' if more else ''}: {first.message}."
        )
