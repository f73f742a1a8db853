"""The settings of the output: where it is, how a bucket is reached, and what is kept there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from exporter.settings.section import Section
from exporter.settings.values import Count, Duration, OutputUrl, Percent, Url

Format = Literal["parquet", "ndjson"]


class Keep(Section):
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
    """The newest N partial ones, and those of which a part vanished; older ones always go."""

    @property
    def has_rule(self) -> bool:
        """Whether a rule chooses among the complete snapshots."""
        return bool(self.last or self.daily or self.weekly or self.monthly)


class S3(Section):
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


class Gs(Section):
    """How a gs:// output is reached; by default with Google's application default credentials."""

    endpoint: Url | None = None
    """Another service than Google's."""
    service_account_key_file: Path | None = None
    """A service account's key (JSON)."""
    ca_file: Path | None = None
    """A PEM file with authorities to trust as well; null for `network.ca_file`."""


class Output(Section):
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
