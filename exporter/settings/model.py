"""The settings themselves: every key with its type, its default and its meaning.

A default value stands here and nowhere else. The JSON Schema that `config schema` prints is
made from these classes.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

Profile = Literal["nebius-il", "yandex"]
Format = Literal["parquet", "ndjson"]

DOMAINS: dict[Profile, str] = {
    "nebius-il": "api.il.nebius.cloud",
    "yandex": "api.cloud.yandex.net",
}

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> object:
    """Turn `90`, `90s`, `15m`, `24h` or `7d` into a timedelta; a bare number is seconds."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip().lower())
        if found:
            try:
                return timedelta(seconds=float(found[1]) * _UNITS[found[2]])
            except OverflowError:
                raise ValueError("longer than any run lasts") from None
        if not re.fullmatch(r"\d+(\.\d+)?", value.strip()):
            raise ValueError("not a duration such as 90s, 15m, 24h or 7d")
    return value


def is_loopback(host: str) -> bool:
    """Say whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> str:
    """Accept https://, and http:// on loopback only: a token must not travel in the clear."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL such as https://host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a URL with nothing but scheme, host, port and path is wanted")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            "plain http:// would send the token in the clear; only a loopback address may use it"
        )
    return url.rstrip("/")


def _check_domain(domain: str) -> str:
    if "://" in domain:
        return _check_url(domain)
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", domain):
        raise ValueError("not a domain such as api.il.nebius.cloud")
    return domain


def _check_output(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in ("file", "s3", "gs"):
        raise ValueError(f"{scheme}:// is not supported; use a path, file://, s3:// or gs://")
    if not url.strip() or (separator and not rest.strip("/")):
        raise ValueError("names no place to write to")
    return url


Url = Annotated[str, AfterValidator(_check_url)]
Id = Annotated[str, Field(min_length=1, max_length=50)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    Field(gt=timedelta(0)),
    WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "24h"]}),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Endpoints(_Section):
    """Base URLs of the services; one that is not named is found by discovery."""

    container_registry: Url | None = None
    """The Container Registry service."""
    resource_manager: Url | None = None
    """The Resource Manager service, which lists clouds and folders."""
    iam: Url | None = None
    """The IAM service, which exchanges keys and OAuth tokens for IAM tokens."""


class Credentials(_Section):
    """Where the IAM token comes from: exactly one of these, or none for the environment."""

    iam_token: SecretStr | None = None
    """An IAM token, used as it is; it lives at most 12 hours."""
    iam_token_file: Path | None = None
    """A file with an IAM token, read again when it changes."""
    service_account_key_file: Path | None = None
    """A service account's authorized key (JSON), exchanged for tokens."""
    oauth_token: SecretStr | None = None
    """A user's OAuth token, exchanged for IAM tokens."""
    metadata: bool = False
    """Ask the virtual machine's metadata service for tokens."""
    metadata_url: Url | None = Field(default=None, exclude=True)
    """Another address of the metadata service; loopback only, for tests."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Credentials:
        named = self.named()
        if len(named) > 1:
            raise ValueError(f"exactly one source is wanted, and {', '.join(named)} are set")
        return self

    def named(self) -> list[str]:
        """Return the names of the sources that are set."""
        sources = ("iam_token", "iam_token_file", "service_account_key_file", "oauth_token")
        return [name for name in sources if getattr(self, name) is not None] + (
            ["metadata"] if self.metadata else []
        )


class Repositories(_Section):
    """Which repositories, by glob patterns on the path after the registry."""

    include: list[str] = Field(default=["*"], min_length=1)
    """A repository is listed if one of these matches."""
    exclude: list[str] = []
    """… and none of these does."""


class Scope(_Section):
    """What to list; with nothing named, every cloud the token can see."""

    organization_id: Id | None = None
    """Only the clouds of this organization."""
    clouds: list[Id] = []
    """Only these clouds, by id."""
    folders: list[Id] = []
    """Only these folders, by id."""
    registries: list[Id] = []
    """Only these registries, by id."""
    repositories: Repositories = Repositories()
    """Only some repositories."""


class Limits(_Section):
    """How hard the API may be asked."""

    concurrency: int = Field(default=32, ge=1, le=1024)
    """The most calls under way at once; the limiter finds its level below it."""
    requests_per_second: float | None = Field(default=None, gt=0)
    """A ceiling on calls per second; null for none."""
    page_size: int = Field(default=1000, ge=1, le=1000)
    """Items asked for per page."""
    request_timeout: float = Field(default=60, gt=0)
    """Seconds until a call without a whole answer is given up and tried again."""
    attempts: int = Field(default=8, ge=1)
    """How often a call is tried in all before its listing is given up."""
    max_page_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """The largest body accepted, in bytes, unpacked."""
    split_listings: bool = True
    """Whether free slots may list a long registry's repositories alone, by the repository list."""


class Keep(_Section):
    """Which complete snapshots to keep; the rest is removed after a complete export."""

    last: int = Field(default=0, ge=0)
    """The newest N."""
    daily: int = Field(default=0, ge=0)
    """The newest of each of the last N days that have one."""
    weekly: int = Field(default=0, ge=0)
    """The newest of each of the last N ISO weeks that have one."""
    monthly: int = Field(default=0, ge=0)
    """The newest of each of the last N months that have one."""


class Output(_Section):
    """Where the snapshot goes, and what becomes of a partial one."""

    url: Annotated[str, AfterValidator(_check_output)] = "./snapshots"
    """A path, or file://, s3:// or gs://."""
    formats: list[Format] = Field(default=["parquet", "ndjson"], min_length=1)
    """The formats to write."""
    staging: Path | None = None
    """The staging folder; null for one beside a local output, else in the cache folder."""
    on_partial: Literal["publish", "fail"] = "publish"
    """Whether a partial result is published as such, or not at all."""
    resume_within: Duration = timedelta(hours=24)
    """How old unfinished staging may be to go on with it."""
    keep: Keep | None = None
    """Retention, applied after a complete export; null keeps everything."""


class Network(_Section):
    """How the API is reached; proxies come from HTTPS_PROXY and NO_PROXY."""

    ca_file: Path | None = None
    """A PEM file with the certificate authorities to trust instead of the system's."""


class Settings(BaseSettings):
    """Everything one export can be told.

    What is not given is taken from the environment (`REGISTRY_EXPORTER__LIMITS__CONCURRENCY`),
    then from the defaults here. Raises pydantic's `ValidationError`.
    """

    model_config = SettingsConfigDict(
        env_prefix="REGISTRY_EXPORTER__",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    profile: Profile = "nebius-il"
    """Whose cloud; sets the domain."""
    domain: Annotated[str, AfterValidator(_check_domain)] | None = None
    """The API's domain; null for the profile's."""
    endpoints: Endpoints = Endpoints()
    """Base URLs of services, where discovery should not find them."""
    credentials: Credentials = Credentials()
    """Where the IAM token comes from."""
    scope: Scope = Scope()
    """What to list."""
    limits: Limits = Limits()
    """How hard the API may be asked."""
    network: Network = Network()
    """How the API is reached."""
    output: Output = Output()
    """Where the snapshot goes."""

    @property
    def api_domain(self) -> str:
        """The domain in force: the one named, or the profile's."""
        return self.domain or DOMAINS[self.profile]
