"""The types of single settings: URLs, domains, durations, counts, each with its message."""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import timedelta
from fractions import Fraction
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACES = {
    "file": "file:///absolute/path",
    "s3": "s3://bucket/prefix",
    "gs": "gs://bucket/prefix",
}
_BESIDE_A_BUCKET = {
    "s3": "another service than AWS is named in output.s3.endpoint, keys in "
    "output.s3.access_key_id and output.s3.secret_access_key",
    "gs": "another service is named in output.gs.endpoint, a key in "
    "output.gs.service_account_key_file",
}
_LONGEST_ID = 50
_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")


def parse_duration(text: str) -> timedelta:
    """Return the duration of `90`, `90s`, `15m`, `24h` or `7d`; a bare number is seconds.

    Raises `ValueError`.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if not found:
        raise ValueError("not a duration such as 90s, 15m, 24h or 7d")
    try:
        return timedelta(seconds=float(found[1]) * _UNITS[found[2]])
    except OverflowError:
        raise ValueError("longer than any run lasts") from None


def parse_age(text: str) -> timedelta:
    """Return the duration of `36h` or `90d`, which must have a unit; raises `ValueError`.

    A bare number of seconds would be a mistake: a forgotten `d` would take in everything.
    """
    if text.strip().isdigit():
        raise ValueError(
            f"which unit? Write {text.strip()}d for days, or {text.strip()}h for hours"
        )
    return parse_duration(text)


def parse_percent(text: str) -> Fraction:
    """Return the share of a percentage such as `50%`, from 0 to 1; raises `ValueError`."""
    found = _PERCENT.fullmatch(text.strip())
    share = Fraction(found[1]) / 100 if found else Fraction(-1)
    if not 0 <= share <= 1:
        raise ValueError("a percentage from 0% to 100% is needed, such as 50%")
    return share


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_bool(value: object) -> object:
    # In Python, and so in pydantic, true equals 1.
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 - pydantic's way
    return value


def _read_duration(value: object) -> object:
    _refuse_bool(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return parse_duration(value) if isinstance(value, str) else value


def _read_percent(value: object) -> object:
    """Accept 0.5, which can only mean 50%; refuse 1, which may mean 1% or 100%."""
    _refuse_bool(value)
    if isinstance(value, str) and re.fullmatch(r"0?\.\d+|0", value.strip()):
        value = float(value)
    if isinstance(value, int | float):
        if not 0 <= value < 1:
            raise ValueError("a percentage from 0% to 100% is needed, such as 50%")
        return f"{value * 100:g}%"
    return value


def _check_percent(text: str) -> str:
    parse_percent(text)
    return text.strip()


def _check_duration(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("a time of more than 0 seconds is needed")
    return duration


def _check_patience(duration: timedelta) -> timedelta:
    if duration < timedelta(0):
        raise ValueError("a time of 0 seconds or more is needed")
    return duration


def _check_url(url: str) -> str:
    """Accept https://, and http:// on loopback only: a token must not travel in the clear."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL such as https://host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a URL with nothing but scheme, host, port and path is needed")
    check_host(parts)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            "plain http:// would send secrets in the clear; only a loopback address may use it"
        )
    return url.rstrip("/")


def check_host(parts: SplitResult) -> None:
    """Refuse what is no host with its port; raises `ValueError`."""
    host = parts.hostname or ""
    # Brackets contain an address: `urlsplit` has checked that.
    if not (":" in host or _HOST_NAME.fullmatch(host)):
        raise ValueError(f"{host!r} is not the name or the address of a host")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("its port is not a number from 1 to 65535")


def _check_domain(domain: str) -> str:
    if "://" in domain:
        return _check_url(domain)
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\w*)?", domain):
        raise ValueError("not a domain such as api.il.nebius.cloud")
    check_host(urlsplit(f"//{domain}"))
    return domain


def _check_output(url: str) -> str:
    """Accept a path, or a URL that names a folder or a bucket; a refused value is not quoted.

    It may contain a secret, if somebody wrote a bucket's URL like https://user:password@host.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in _PLACES:
        raise ValueError(f"{scheme}:// is not supported; use a path, file://, s3:// or gs://")
    if url.strip() == "-":
        raise ValueError(
            "- would be stdout, and a snapshot is many files: name a folder or a bucket"
        )
    if not url.strip() or (separator and not rest.strip("/")):
        raise ValueError("names no place to write to")
    kind, colon, _ = url.partition(":")
    if colon and not separator and kind in _PLACES:
        raise ValueError(f"{kind}: is the beginning of a URL; write {_PLACES[kind]}")
    if scheme == "file" and separator:
        parts = urlsplit(url)
        local = parts.netloc in ("", "localhost") and parts.path.startswith("/")
        if not local or parts.query or parts.fragment:
            raise ValueError("not a local folder; write file:///absolute/path, percent-encoded")
    elif separator:
        bucket, _, prefix = rest.rstrip("/").partition("/")
        _check_bucket(scheme, bucket, prefix)
    return url


def _check_bucket(scheme: str, bucket: str, prefix: str) -> None:
    # Object stores would misread these as URLs of their own, or refuse them without advice.
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"behind {scheme}:// the name of a bucket is needed, and nothing else: "
            f"{_BESIDE_A_BUCKET[scheme]}"
        )
    for part in prefix.split("/") if prefix else ():
        if part in ("", ".", ".."):
            what = f"a part that is {part}" if part else "an empty part (//)"
            raise ValueError(f"its prefix has {what}; write {_PLACES[scheme]}")


def _check_registry_id(id_: str) -> str:
    if len(id_) > _LONGEST_ID and not ("." in id_ or ":" in id_):
        raise ValueError(f"at most {_LONGEST_ID} characters are allowed in an id of the cloud")
    return id_


Url = Annotated[str, AfterValidator(_check_url)]
Domain = Annotated[str, AfterValidator(_check_domain)]
OutputUrl = Annotated[str, AfterValidator(_check_output)]
Id = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID)]
RegistryId = Annotated[str, Field(min_length=1, max_length=260), AfterValidator(_check_registry_id)]
"""An id of the cloud, or a host with its port."""
Count = Annotated[int, BeforeValidator(_refuse_bool)]
Number = Annotated[float, BeforeValidator(_refuse_bool), Field(allow_inf_nan=False)]
_DURATION_SCHEMA = WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "24h"]})
Duration = Annotated[
    timedelta, BeforeValidator(_read_duration), AfterValidator(_check_duration), _DURATION_SCHEMA
]
Patience = Annotated[
    timedelta, BeforeValidator(_read_duration), AfterValidator(_check_patience), _DURATION_SCHEMA
]
Percent = Annotated[
    str,
    BeforeValidator(_read_percent),
    AfterValidator(_check_percent),
    WithJsonSchema({"type": ["string", "number"], "examples": ["50%"]}),
]
