"""Why no whole answer came, in our own words, without any content of the request.

aiohttp's exceptions contain the request's headers and so the token. This module gives each a name;
the code that catches them drops them.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import Literal

from yarl import URL

from exporter.http.library import aiohttp
from exporter.http.remedies import Remedies

Trouble = Literal[
    "unresolved",
    "refused",
    "proxy",
    "tls",
    "certificate",
    "reset",
    "timeout",
    "truncated",
    "oversize",
    "garbled",
    "unusable",
]

LASTING_TROUBLES: frozenset[Trouble] = frozenset({"certificate", "tls", "proxy", "unusable"})
"""Permanent troubles, unless the same host has answered well before."""

LONGEST_HEADER = 1 << 18
"""The longest header, name and value, in bytes; gateways have been seen to send 50 KiB."""
MOST_HEADERS = 1000

NO_CONNECTION: frozenset[Trouble] = frozenset({"unresolved", "refused", "proxy"})
"""Troubles from before a connection to the host was made."""

Explained = tuple[Trouble, str, str]
"""The kind, a clause that says what happened, and a clause of advice, which may be empty."""

_NOT_NAMED = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_OTHER_VERSION = frozenset(
    {
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "NO_PROTOCOLS_AVAILABLE",
        "VERSION_TOO_LOW",
        "WRONG_SSL_VERSION",
        "INAPPROPRIATE_FALLBACK",
    }
)
_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "HTTP_REQUEST",
        "UNKNOWN_PROTOCOL",
        "UNEXPECTED_MESSAGE",
    }
)
_CERTIFICATE_WANTED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
_BROKEN_OFF = "UNEXPECTED_EOF_WHILE_READING"
_RENEW = "have the operator of the server renew it"
_CLOCK = "check this machine's clock"
_CERTIFICATE_TROUBLES: Mapping[int, tuple[str, Callable[[Remedies], str]]] = {
    9: ("is not valid yet", lambda _: _CLOCK),
    10: ("has expired", lambda _: f"{_RENEW}, and {_CLOCK}"),
    18: ("is signed by itself and so not trusted", lambda remedies: remedies.authority),
    19: ("is signed by an authority that is not trusted", lambda remedies: remedies.authority),
    20: ("is signed by an authority that is not trusted", lambda remedies: remedies.authority),
    21: ("is signed by an authority that is not trusted", lambda remedies: remedies.authority),
    23: ("has been revoked", lambda _: _RENEW),
    62: ("is another host's", lambda remedies: remedies.name),
    64: ("is another host's", lambda remedies: remedies.address),
}
"""What is wrong with a certificate, and what to do, by OpenSSL's number (X509_V_ERR)."""
_CHECK_PROXY = "check HTTPS_PROXY, or name the host in NO_PROXY"
_FIXED: tuple[tuple[type[Exception], Trouble, str, Callable[[Remedies], str]], ...] = (
    (aiohttp.ServerTimeoutError, "timeout", "no connection in time", lambda _: ""),
    (
        aiohttp.InvalidURL,
        "unusable",
        "the address is not a URL",
        lambda remedies: remedies.unresolved,
    ),
    (aiohttp.ClientPayloadError, "truncated", "the answer was cut short", lambda _: ""),
)
_TLS_BYTES = re.compile(r"(\\x15|\\x16)\\x03|[\x15\x16]\x03")
"""The beginning of a TLS record, as an error quotes it."""


class NoReplyError(Exception):
    """There is no whole answer; `trouble` is the kind, the text a clause about it.

    `advice` is a clause that says what to do, or empty. `request_id` and `wire_bytes` are of the
    part that arrived. `proven` is true if the same host has answered well before.
    """

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        advice: str = "",
        *,
        request_id: str | None = None,
        wire_bytes: int = 0,
        proven: bool = False,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.advice = advice
        self.request_id = request_id
        self.wire_bytes = wire_bytes
        self.proven = proven


def explain(error: Exception, *, host: str, proxy: URL | None, remedies: Remedies) -> Explained:
    """Return the trouble of a request to `host`, over `proxy` or none, for an exception."""
    # Only the proxy's name, because its URL may contain a password.
    by_way_of = proxy.host_port_subcomponent if proxy else None
    for kind, trouble, message, advice in _FIXED:
        if isinstance(error, kind):
            return trouble, message, advice(remedies)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _explain_connecting(error, by_way_of, remedies)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _explain_proxys_answer(error.status, host, by_way_of or "")
    if isinstance(error, aiohttp.ClientResponseError):
        return _explain_no_http(error, remedies)
    if _CERTIFICATE_WANTED in str(error):  # reported after the handshake
        return _explain_tls(_CERTIFICATE_WANTED, host, remedies)
    return "reset", "the connection broke before the answer came", ""


def _explain_connecting(
    error: aiohttp.ClientConnectorError, proxy: str | None, remedies: Remedies
) -> Explained:
    # These classes inherit from each other, so the special ones come first.
    if isinstance(error, aiohttp.ClientSSLError):
        return _explain_handshake(error, remedies)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _explain_name(error.os_error, error.host, proxy, remedies)
    why = _why_not_connected(error.os_error)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "refused", f"the proxy {proxy} cannot be reached: {why}", _CHECK_PROXY
    if isinstance(error.os_error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return _explain_tls(_BROKEN_OFF, error.host, remedies)
    return "refused", why, ""


def _explain_handshake(error: aiohttp.ClientSSLError, remedies: Remedies) -> Explained:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _explain_certificate(error.certificate_error, error.host, remedies)
    return _explain_tls(getattr(error.os_error, "reason", None) or "", error.host, remedies)


def _explain_certificate(error: Exception, host: str, remedies: Remedies) -> Explained:
    number = getattr(error, "verify_code", 0)
    if number not in _CERTIFICATE_TROUBLES:
        what = f"is not trusted{_openssl_says(error)}"
        return "certificate", f"the certificate of {host} {what}", remedies.authority
    what, advice = _CERTIFICATE_TROUBLES[number]
    return "certificate", f"the certificate of {host} {what}", advice(remedies)


def _openssl_says(error: Exception) -> str:
    message = getattr(error, "verify_message", "")
    return f" ({message})" if message else ""


def _explain_tls(reason: str, host: str, remedies: Remedies) -> Explained:
    if reason in _OTHER_VERSION:
        return (
            "tls",
            f"{host} speaks none of the TLS versions that this machine allows",
            "have TLS 1.2 or 1.3 switched on there",
        )
    if reason in _NOT_TLS:
        return (
            "tls",
            f"{host} does not speak TLS on this port, as a server of plain http:// does not",
            remedies.plain,
        )
    if reason == _CERTIFICATE_WANTED:
        return (
            "tls",
            f"{host} wants a client certificate, and the exporter has none",
            "name an address that does without",
        )
    if reason == _BROKEN_OFF:
        # Some servers do so when no TLS version suits, or when they have no TLS.
        return (
            "reset",
            f"{host} broke the TLS handshake off",
            "check that it speaks TLS 1.2 or 1.3 on this port",
        )
    said = f" ({reason.replace('_', ' ').lower()})" if reason else ""
    return "tls", f"the TLS handshake with {host} failed{said}", "check the address"


def _explain_proxys_answer(status: int, host: str, proxy: str) -> Explained:
    if status == 407:
        return (
            "proxy",
            f"the proxy {proxy} asks for a name and a password (407)",
            "write them into HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT",
        )
    message = f"the proxy {proxy} does not connect to {host}: it answered {status}"
    # A proxy reports an error of the server behind it with a status of its own.
    return ("refused" if status >= 500 else "proxy"), message, _CHECK_PROXY


def _explain_name(error: OSError, host: str, proxy: str | None, remedies: Remedies) -> Explained:
    whose = f"the proxy {proxy}" if proxy else f"the host {host}"
    advice = _CHECK_PROXY if proxy else f"{remedies.unresolved}, and this machine's DNS"
    if error.errno in _NOT_NAMED:
        return "unresolved", f"the name of {whose} does not resolve: DNS knows no such name", advice
    return "unresolved", f"the name of {whose} does not resolve: DNS does not answer", advice


def _why_not_connected(error: OSError) -> str:
    match error.errno:
        case errno.ECONNREFUSED:
            return "the connection was refused"
        case errno.ETIMEDOUT:
            return "no connection in time"
        case errno.ENETUNREACH | errno.EHOSTUNREACH:
            return "there is no route to the host"
        case errno.ECONNRESET | errno.ECONNABORTED | errno.EPIPE:
            return "the connection broke before the answer came"
        case None:
            return "no connection could be made"
    return f"no connection could be made ({os.strerror(error.errno)})"


def _explain_no_http(error: aiohttp.ClientResponseError, remedies: Remedies) -> Explained:
    text = error.message
    if "Got more than" in text or "Too many headers" in text:
        past = f"a header past {LONGEST_HEADER >> 10} KiB, or more than {MOST_HEADERS} of them"
        return "garbled", f"the answer has {past}", "have what is on the way there send less"
    if _TLS_BYTES.search(text):
        return "garbled", "the answer is not HTTP: that port speaks TLS", remedies.tls
    return "garbled", "the answer is not HTTP", ""
