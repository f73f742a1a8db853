"""The settings themselves: every key with its type, its default and its meaning.

A default value stands here, or in `output` for that section, and nowhere else. The JSON Schema that
`config schema` prints is made from these classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from exporter.settings.environment import merge_into, read_environment
from exporter.settings.load import load
from exporter.settings.oci import Oci
from exporter.settings.output import Output
from exporter.settings.section import Section
from exporter.settings.values import (
    Count,
    Domain,
    Duration,
    Id,
    Number,
    Patience,
    RegistryId,
    Url,
)
from exporter.settings.warehouse import Load

SourceKind = Literal["cloud", "oci"]
Profile = Literal["nebius-il", "yandex"]

DOMAINS: dict[Profile, str] = {
    "nebius-il": "api.il.nebius.cloud",
    "yandex": "api.cloud.yandex.net",
}


class Endpoints(Section):
    """Base URLs of the services; a service without one is found by discovery."""

    container_registry: Url | None = None
    """The Container Registry service."""
    resource_manager: Url | None = None
    """The Resource Manager service, which lists clouds and folders."""
    iam: Url | None = None
    """The IAM service, which exchanges keys and OAuth tokens for IAM tokens."""


class Credentials(Section):
    """The source of the IAM token: exactly one of these, or none for the environment."""

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
            raise ValueError(f"exactly one source is needed, and {', '.join(named)} are set")
        return self

    def named(self) -> list[str]:
        """Return the names of the sources that are set."""
        sources = ("iam_token", "iam_token_file", "service_account_key_file", "oauth_token")
        return [name for name in sources if getattr(self, name) is not None] + (
            ["metadata"] if self.metadata else []
        )


class Repositories(Section):
    """The repositories to list, by glob patterns on the path after the registry."""

    include: list[str] = Field(default=["*"], min_length=1)
    """A repository is listed if one of these matches."""
    exclude: list[str] = Field(default=[])
    """A repository is left out if one of these matches."""


class Exclude(Section):
    """Ids to leave out on purpose: they are not listed, and the rest can be complete."""

    clouds: list[Id] = Field(default=[])
    """Leave out these clouds with everything in them."""
    folders: list[Id] = Field(default=[])
    """Leave out these folders with everything in them."""
    registries: list[RegistryId] = Field(default=[])
    """Leave out these registries."""


class Scope(Section):
    """The scope to list; if it names nothing, every cloud that the token can see."""

    organization_id: Id | None = None
    """Only the clouds of this organization."""
    clouds: list[Id] = Field(default=[])
    """Only these clouds, by id."""
    folders: list[Id] = Field(default=[])
    """Only these folders, by id."""
    registries: list[RegistryId] = Field(default=[])
    """Only these registries, by id; with `source: oci`, by host."""
    repositories: Repositories = Repositories()
    """Only some repositories."""
    exclude: Exclude = Exclude()
    """Leave out some clouds, folders and registries."""

    @model_validator(mode="after")
    def _names_or_excludes(self) -> Scope:
        for level in Exclude.model_fields:
            both = sorted({*getattr(self, level)} & {*getattr(self.exclude, level)})
            if both:
                raise ValueError(
                    f"{both[0]} is named in scope.{level} and left out by scope.exclude.{level}; "
                    "take it out of one of them"
                )
        return self


class Limits(Section):
    """How hard the API may be asked."""

    concurrency: Count = Field(default=32, ge=1, le=1024)
    """The most calls under way at once; the limiter finds its level below it."""
    requests_per_second: Number | None = Field(default=None, gt=0)
    """A ceiling on calls per second; null for none."""
    page_size: Count = Field(default=1000, ge=1, le=1000)
    """Items asked for per page."""
    request_timeout: Duration = timedelta(seconds=60)
    """How long a call may take before it is tried again; a bare number is seconds."""
    attempts: Count = Field(default=8, ge=1)
    """How often a call is tried in all before its listing fails."""
    outage: Patience = timedelta(minutes=15)
    """How long to wait for a host that answers no call at all; 0 ends the run at once."""
    max_page_bytes: Count = Field(default=64 * 1024 * 1024, ge=1024)
    """The largest body accepted, in bytes, unpacked."""
    split_listings: bool = True
    """Whether free slots may list a long registry's repositories alone, by the repository list."""


class Network(Section):
    """How the API is reached; proxies come from HTTPS_PROXY and NO_PROXY."""

    ca_file: Path | None = None
    """A PEM file with the certificate authorities to trust instead of the system's."""


class Report(Section):
    """What the bytes cost, for answers about money; without a price, none is shown."""

    price_per_gb_month: Number | None = Field(default=None, ge=0)
    """The price of one GB (2^30 bytes) stored for a month; null for none."""
    currency: str | None = Field(default=None, min_length=1)
    """The price's currency, such as USD; it is only shown."""


class Settings(Section):
    """All settings of an export.

    Values that are not given come from the environment (`REGISTRY_EXPORTER__LIMITS__CONCURRENCY`),
    then from the defaults here. Raises `SettingsError`, with a line for each error.
    """

    model_config = ConfigDict(hide_input_in_errors=True, validate_default=True)

    source: SourceKind = "cloud"
    """Where images are listed from: the list API of a cloud, or registries with the OCI API."""
    profile: Profile = "nebius-il"
    """The vendor of the cloud; it sets the domain."""
    domain: Domain | None = None
    """The API's domain; null for the profile's."""
    endpoints: Endpoints = Endpoints()
    """Base URLs of services that discovery should not look for."""
    credentials: Credentials = Credentials()
    """Where the IAM token comes from."""
    oci: Oci = Oci()
    """The registries of `source: oci`."""
    scope: Scope = Scope()
    """What to list."""
    limits: Limits = Limits()
    """How hard the API may be asked."""
    network: Network = Network()
    """How the API is reached."""
    output: Output = Output()
    """Where the snapshot goes."""
    report: Report = Report()
    """What the bytes cost, for answers about money."""
    load: Load = Load()
    """Bring published snapshots into a warehouse."""

    def __init__(self, **values: Any) -> None:
        told = read_environment(type(self)).values
        merge_into(told, values)
        super().__init__(**told)

    @classmethod
    def from_file(cls, file: Path | str, over: Mapping[str, Any] | None = None) -> Self:
        """Read a YAML file as the command line does, the environment over it, then `over`.

        `over` is shaped like the file: `{"output": {"url": "./snapshots"}}`. Raises
        `SettingsError`, with a line for each error and its place in the file.
        """
        return load(cls, Path(file), over or {})

    @model_validator(mode="after")
    def _registries_are_told(self) -> Settings:
        if self.source != "oci":
            return self
        if not self.oci.registries:
            raise ValueError("source: oci needs a registry: name one in oci.registries")
        scope = self.scope
        for name in ("organization_id", "clouds", "folders"):
            if getattr(scope, name):
                raise ValueError(
                    f"scope.{name} is of a cloud; with source: oci, name hosts in scope.registries"
                )
        hosts = {one.host for one in self.oci.registries}
        unknown = sorted({*scope.registries, *scope.exclude.registries} - hosts)
        if unknown:
            raise ValueError(
                f"scope names the registry {unknown[0]}, which is none of oci.registries; name "
                f"one of {', '.join(sorted(hosts))}"
            )
        return self

    @property
    def api_domain(self) -> str:
        """The domain in force: the one in the settings, or the profile's."""
        return self.domain or DOMAINS[self.profile]


READING = ("output", "network")
"""The sections for a command that only reads an output: no credentials are among them."""


def load_settings(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    only: Collection[str] | None = None,
) -> Settings:
    """Return the settings in force for a command; the arguments are those of `load`."""
    return load(Settings, file, flags or {}, only=only)


class _Alone(Settings):
    """Settings that do not read the environment."""

    model_config = ConfigDict(defer_build=True)

    def __init__(self, **values: Any) -> None:
        super(Settings, self).__init__(**values)


def settings_alone(values: Mapping[str, Any]) -> Settings:
    """Return settings with these values, nested as in a file; no environment is read.

    Raises `SettingsError`.
    """
    return _Alone(**values)
