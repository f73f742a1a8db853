"""The addresses of the services: from the settings, else by discovery, else by convention.

Rules from `README.md`, Services. A domain given as `http://127.0.0.1:8080`, which can only be this
machine, has all services at that one address.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson
import structlog

from exporter.http.faults import FaultError
from exporter.http.retry import Sleep, ask
from exporter.http.transport import Transport
from exporter.settings import Settings
from exporter.settings.values import is_loopback

_DISCOVERY_ATTEMPTS = 4
_DISCOVERY_TIMEOUT = 15.0
_DISCOVERY_BYTES = 1 << 20
_ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?")

_log = structlog.get_logger(__name__)


class Directory:
    """Finds the base URL of a service; asks the discovery service once, when first needed."""

    def __init__(self, settings: Settings, transport: Transport, *, sleep: Sleep) -> None:
        scheme, separator, rest = settings.api_domain.rpartition("://")
        self._domain = rest
        self._one_address = settings.api_domain if separator and scheme == "http" else None
        self._named = settings.endpoints
        self._timeout = min(settings.limits.request_timeout.total_seconds(), _DISCOVERY_TIMEOUT)
        self._attempts = min(settings.limits.attempts, _DISCOVERY_ATTEMPTS)
        self._transport = transport
        self._sleep = sleep
        self._asking = asyncio.Lock()
        self._found: Mapping[str, str] | None = None

    async def base(self, service: str) -> str:
        """Return a service's base URL, without a slash at its end."""
        named = getattr(self._named, service)
        if named is not None:
            return str(named)
        async with self._asking:
            if self._found is None:
                self._found = await self._discover()
        name = service.replace("_", "-")
        address = self._found.get(name)
        if address is not None:
            return address
        guess = self._convention(name)
        _log.warning("service_not_discovered", service=name, using=guess)
        return guess

    @property
    def token_audience(self) -> str:
        """The `aud` of a JWT that is exchanged for a token: the public address of that call.

        It does not depend on the route of the call, so `endpoints.iam` does not change it.
        """
        return f"{self._convention('iam')}/iam/v1/tokens"

    def _convention(self, name: str) -> str:
        return self._one_address or f"https://{name}.{self._domain}"

    async def _discover(self) -> Mapping[str, str]:
        """Return base URLs by service id; empty if discovery fails, which is only logged."""
        url = f"{self._one_address or f'https://{self._domain}'}/endpoints"
        try:
            reply = await ask(
                lambda: self._transport.send(
                    url, timeout=self._timeout, max_bytes=_DISCOVERY_BYTES
                ),
                attempts=self._attempts,
                sleep=self._sleep,
                what="discovery of services",
            )
            found = _read_endpoints(reply.body)
        except FaultError as error:
            _log.warning("discovery_failed", url=url, reason=error.fault.told())
            return {}
        except ValueError as error:
            _log.warning("discovery_failed", url=url, reason=str(error))
            return {}
        _log.info("services_discovered", url=url, request_id=reply.request_id, **found)
        return found


def _read_endpoints(body: bytes) -> dict[str, str]:
    """Return base URLs by service id; raises `ValueError` for what is not a discovery answer."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the answer is not JSON") from None
    endpoints = answer.get("endpoints") if isinstance(answer, dict) else None
    if not endpoints or not isinstance(endpoints, list):
        raise ValueError("the answer has no list of `endpoints`")
    wanted = {"container-registry", "resource-manager", "iam"}
    return {
        each["id"]: _base_url(each["address"])
        for each in endpoints
        if isinstance(each, dict)
        and each.get("id") in wanted
        and isinstance(each.get("address"), str)
        and _ADDRESS.fullmatch(each["address"])
    }


def _base_url(address: str) -> str:
    """Return the URL of `host:port`: https, except on this machine."""
    host = urlsplit(f"//{address}").hostname or ""
    if is_loopback(host):
        return f"http://{address}"
    return f"https://{address.removesuffix(':443')}"
