"""Nebius and Yandex Cloud as a source (`sources.base.Source`)."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.crawl.task import Task
from exporter.http.client import Client
from exporter.settings import Settings
from exporter.sources.base import Crawl, SourceResult
from exporter.sources.cloud.client import open_client
from exporter.sources.cloud.discovery import Discovery


class CloudSource:
    """Lists what the settings' `scope` names; with `with_images=False`, down to the registries."""

    kind = "cloud"

    def __init__(self, settings: Settings, *, with_images: bool = True) -> None:
        self._settings = settings
        self._with_images = with_images
        self._started: Discovery | None = None

    def identity(self) -> Mapping[str, object]:
        """Return the profile, the domain and the endpoints that are named."""
        return {
            "profile": self._settings.profile,
            "domain": self._settings.api_domain,
            "endpoints": self._settings.endpoints.model_dump(exclude_none=True),
        }

    def scope(self) -> Mapping[str, object]:
        """Return the settings' `scope`."""
        return self._settings.scope.model_dump(mode="json")

    def open_client(self) -> Client:
        """Return a client of the list API; it sends nothing until it is entered."""
        return open_client(self._settings)

    def start(self, crawl: Crawl) -> None:
        """Submit the listing of the clouds."""
        self._started = Discovery(self._settings, crawl, with_images=self._with_images)
        self._started.start()

    def idle_task(self) -> Task | None:
        """Return a part of the longest registry that can be split."""
        return self.discovery.idle_task()

    def result(self) -> SourceResult:
        """Return the clouds, folders and registries; enter what was named and not found."""
        return self.discovery.result()

    @property
    def discovery(self) -> Discovery:
        """What was found, from `start` on."""
        if self._started is None:
            raise RuntimeError("the source was not started")
        return self._started
