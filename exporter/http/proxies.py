"""The proxy of the environment for a request, and the hosts that NO_PROXY excludes."""

from __future__ import annotations

import ipaddress
import re
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from exporter.http.trouble import NoReplyError

_IN_BRACKETS = re.compile(r"\[([^\]]*)\](?::(\d+))?")
_ADVICE = "write it into HTTPS_PROXY as http://HOST:PORT, or name the API's hosts in NO_PROXY"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(address: URL) -> URL | None:
    """Return the environment's proxy for an address; None for plain HTTP, which it could read.

    Raises `NoReplyError` for a proxy that cannot be used; its text holds no password.
    (aiohttp's own way of reading the environment also reads ~/.netrc, and fails at the token then.)
    """
    if address.scheme != "https":
        return None
    proxies = getproxies()
    text = proxies.get("https", "").strip()
    host = address.host or ""
    if not text or bypasses(proxies.get("no", ""), host, address.port or 0) or proxy_bypass(host):
        return None
    return _read(text if "://" in text else f"http://{text}")


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Return whether NO_PROXY names a host, in any form that curl, Go and Python accept.

    The forms are: `*`; a name, also with a dot or `*.` before it, which includes its subdomains; an
    address, an IPv6 one also in brackets; a range such as 10.0.0.0/8 or fd00::/8. A name or address
    may have a port, which must be the same. Case does not matter.
    """
    wanted = host.rstrip(".").lower()
    address = _read_address(wanted)
    return any(
        _matches(entry, wanted, address, port)
        for entry in no_proxy.lower().replace(",", " ").split()
    )


def _matches(entry: str, host: str, address: Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_in_range(address, entry)
    name, of_port = _split_port(entry)
    if of_port not in ("", str(port)):
        return False
    if address is not None:
        return _read_address(name) == address
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, str]:
    """Return an entry's name or address, and its port where it has one."""
    if bracketed := _IN_BRACKETS.fullmatch(entry):
        return bracketed[1], bracketed[2] or ""
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _is_in_range(address: Address, entry: str) -> bool:
    try:
        network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    return address.version == network.version and address in network


def _read_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _read(text: str) -> URL:
    scheme = text.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        named = scheme if re.fullmatch(r"[a-z0-9+.-]{1,20}", scheme) else "that kind"
        raise NoReplyError(
            "proxy",
            f"HTTPS_PROXY names a proxy of {named}://, and only http:// and https:// are supported",
            _ADVICE,
        )
    try:
        proxy = URL(text)
        usable = bool(proxy.host) and proxy.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise NoReplyError("proxy", "HTTPS_PROXY is not the URL of a proxy", _ADVICE)
    return proxy.with_path("/")
