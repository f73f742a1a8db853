"""The settings themselves: every key with its type, its default and its meaning.

A default value stands here and nowhere else. The JSON Schema that `config schema` prints is
made from these classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from exporter.settings.environment import read_environment
from exporter.settings.load import load
from exporter.settings.refusal import InWords
from exporter.settings.values import (
    Count,
    Domain,
    Duration,
    Id,
    Number,
    OutputUrl,
    Patience,
    Percent,
    Url,
)

Profile = Literal["nebius-il", "yandex"]
Format = Literal["parquet", "ndjson"]

DOMAINS: dict[Profile, str] = {
    "nebius-il": "api.il.nebius.cloud",
    "yandex": "api.cloud.yandex.net",
}


class _Section(InWords, BaseModel):
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


class Exclude(_Section):
    """What to leave out on purpose, by id: it is not asked for, and the rest can be complete."""

    clouds: list[Id] = []
    """Not these clouds, nor what is in them."""
    folders: list[Id] = []
    """Not these folders, nor what is in them."""
    registries: list[Id] = []
    """Not these registries."""


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
    exclude: Exclude = Exclude()
    """Not some clouds, folders and registries."""

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


class Limits(_Section):
    """How hard the API may be asked."""

    concurrency: Count = Field(default=32, ge=1, le=1024)
    """The most calls under way at once; the limiter finds its level below it."""
    requests_per_second: Number | None = Field(default=None, gt=0)
    """A ceiling on calls per second; null for none."""
    page_size: Count = Field(default=1000, ge=1, le=1000)
    """Items asked for per page."""
    request_timeout: Duration = timedelta(seconds=60)
    """How long a call may take until it is given up and tried again; a bare number is seconds."""
    attempts: Count = Field(default=8, ge=1)
    """How often a call is tried in all before its listing is given up."""
    outage: Patience = timedelta(minutes=15)
    """For how long the run waits for a host that answers no call at all; 0 ends it at once."""
    max_page_bytes: Count = Field(default=64 * 1024 * 1024, ge=1024)
    """The largest body accepted, in bytes, unpacked."""
    split_listings: bool = True
    """Whether free slots may list a long registry's repositories alone, by the repository list."""


class Keep(_Section):
    """Which snapshots to keep; the rest is removed after an export that became the latest."""

    last: Count = Field(default=0, ge=0)
    """The newest N."""
    daily: Count = Field(default=0, ge=0)
    """The newest of each of the last N days that have one."""
    weekly: Count = Field(default=0, ge=0)
    """The newest of each of the last N ISO weeks that have one."""
    monthly: Count = Field(default=0, ge=0)
    """The newest of each of the last N months that have one."""
    partial: Count = Field(default=3, ge=1)
    """The newest N partial ones; older ones are removed after a partial export as well."""

    @property
    def has_rule(self) -> bool:
        """Whether a rule chooses among the complete snapshots."""
        return bool(self.last or self.daily or self.weekly or self.monthly)


class S3(_Section):
    """How an s3:// output is reached; what is not named comes from the environment, as for AWS.

    Environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and the like;
    then ~/.aws, then what gives keys to the machine or the container.
    """

    endpoint: Url | None = None
    """Another service than AWS: https://storage.yandexcloud.net, a MinIO of one's own."""
    region: str | None = Field(default=None, min_length=1)
    """The bucket's region."""
    path_style: bool | None = None
    """Whether the bucket stands in the URL's path, not its host; null: where `endpoint` is set."""
    access_key_id: SecretStr | None = None
    """The static key's id."""
    secret_access_key: SecretStr | None = None
    """The static key's secret."""
    session_token: SecretStr | None = None
    """The session token that belongs to a temporary key."""
    ca_file: Path | None = None
    """A PEM file with authorities to trust as well; null for `network.ca_file`."""

    @model_validator(mode="after")
    def _whole_key(self) -> S3:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together; set both")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token belongs to access_key_id and secret_access_key")
        return self


class Gs(_Section):
    """How a gs:// output is reached; by default with Google's application default credentials."""

    endpoint: Url | None = None
    """Another service than Google's."""
    service_account_key_file: Path | None = None
    """A service account's key (JSON)."""
    ca_file: Path | None = None
    """A PEM file with authorities to trust as well; null for `network.ca_file`."""


class Output(_Section):
    """Where the snapshot goes, and what becomes of a partial one."""

    url: OutputUrl = "./snapshots"
    """A path, or file://, s3:// or gs://."""
    s3: S3 = S3()
    """How an s3:// output is reached."""
    gs: Gs = Gs()
    """How a gs:// output is reached."""
    formats: list[Format] = Field(default=["parquet", "ndjson"], min_length=1)
    """The formats to write."""
    staging: Path | None = None
    """The staging folder; null for one beside a local output, else in the cache folder."""
    on_partial: Literal["publish", "fail"] = "publish"
    """Whether a partial result is published as such, or not at all."""
    resume_within: Duration = timedelta(hours=24)
    """How old unfinished staging may be to go on with it."""
    keep: Keep | None = None
    """Retention, applied after an export; null keeps everything."""
    max_shrink: Percent | None = "50%"
    """The share of the images that may be gone since the newest complete snapshot: a result with
    fewer, or with none, is not published; null publishes whatever was found."""

    @field_validator("max_shrink", mode="before")
    @classmethod
    def _read_null(cls, share: object) -> object:
        # An environment variable has no other way to say it.
        return None if share == "null" else share

    @field_validator("keep")
    @classmethod
    def _keeps_something(cls, keep: Keep | None) -> Keep | None:
        if keep is not None and not (keep.has_rule or "partial" in keep.model_fields_set):
            raise ValueError("one of last, daily, weekly and monthly is wanted, with more than 0")
        return keep


class Network(_Section):
    """How the API is reached; proxies come from HTTPS_PROXY and NO_PROXY."""

    ca_file: Path | None = None
    """A PEM file with the certificate authorities to trust instead of the system's."""


class Settings(InWords, BaseSettings):
    """Everything one export can be told.

    What is not given is taken from the environment (`REGISTRY_EXPORTER__LIMITS__CONCURRENCY`),
    then from the defaults here. Raises `SettingsError`, a line for each thing that is wrong.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    profile: Profile = "nebius-il"
    """Whose cloud; sets the domain."""
    domain: Domain | None = None
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

    @classmethod
    def settings_customise_sources(  # type: ignore[override] # all are given by their names
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment as `read_environment` does, which can say what it could not read."""
        return init_settings, InitSettingsSource(settings_cls, read_environment(cls).values)

    @classmethod
    def from_file(cls, file: Path | str, over: Mapping[str, Any] | None = None) -> Self:
        """Read a YAML file as the command line does, the environment over it, then `over`.

        `over` is shaped like the file: `{"output": {"url": "./snapshots"}}`. Raises
        `SettingsError`, a line for each thing that is wrong, with its place in the file.
        """
        return load(cls, Path(file), over or {})

    @property
    def api_domain(self) -> str:
        """The domain in force: the one named, or the profile's."""
        return self.domain or DOMAINS[self.profile]


READING = ("output", "network")
"""All that a command needs which only looks at an output: no credentials are among it."""


def load_settings(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    only: Collection[str] | None = None,
) -> Settings:
    """Return the settings in force for a command; the arguments are those of `load`."""
    return load(Settings, file, flags or {}, only=only)
