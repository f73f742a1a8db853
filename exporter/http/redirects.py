"""Where a redirect may lead: never from https to http, nor to addresses of this machine's own.

A registry sends the caller to another host for a blob, with a link that needs no token. A hostile
one could send it to a service that only this machine can reach.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from functools import lru_cache

from yarl import URL

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RefusedRedirectError(Exception):
    """A redirect that is not followed; the text is a clause that says why."""


async def redirected(address: URL, location: str, *, resolve: bool) -> URL:
    """Return the address that a redirect of `address` leads to.

    With `resolve`, the target's name is looked up as well, which a proxy would do otherwise. Raises
    `RefusedRedirectError`.
    """
    try:
        target = address.join(URL(location, encoded=True))
        host = target.host
    except ValueError:
        host = None
    if not host or target.scheme not in ("http", "https"):
        raise RefusedRedirectError("a redirect leads to something that is not a URL")
    if address.scheme == "https" and target.scheme == "http":
        raise RefusedRedirectError(f"a redirect leads from https:// to http:// on {host}")
    if not is_local(address.host or "") or is_link_local(host):
        addresses = await _addresses(host) if resolve else [host]
        if any(is_local(one) or is_link_local(one) for one in (host, *addresses)):
            raise RefusedRedirectError(f"a redirect leads to {host}, which is this machine's own")
    return target


def is_local(host: str) -> bool:
    """Return whether a name or an address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    found = _address(host)
    return found is not None and (found.is_loopback or found.is_unspecified)


def is_link_local(host: str) -> bool:
    """Return whether an address is link-local, as that of a metadata service is."""
    found = _address(host)
    return found is not None and found.is_link_local


@lru_cache(maxsize=256)
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


async def _addresses(host: str) -> list[str]:
    """Return the addresses of a name; none if it does not resolve, which connecting will tell."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(one[4][0]) for one in found]
