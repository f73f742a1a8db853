"""The settings of the output: its place, the access to a bucket, and retention."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from exporter.settings.section import Section
from exporter.settings.values import Count, Duration, OutputUrl, Percent, Url

Format = Literal["parquet", "ndjson"]


class Keep(Section):
    """The snapshots to keep; the rest is removed after an export that became the latest."""

    last: Count = Field(default=0, ge=0)
    """The newest N."""
    daily: Count = Field(default=0, ge=0)
    """The newest of each of the last N days that have one."""
    weekly: Count = Field(default=0, ge=0)
    """The newest of each of the last N ISO weeks that have one."""
    monthly: Count = Field(default=0, ge=0)
    """The newest of each of the last N months that have one."""
    partial: Count = Field(default=3, ge=1)
    """The newest N partial ones, with those of which a part vanished; older ones always go."""

    @property
    def has_rule(self) -> bool:
        """Whether a rule chooses among the complete snapshots."""
        return bool(self.last or self.daily or self.weekly or self.monthly)


class S3(Section):
    """Access to an s3:// output; values that are left out come from the environment, as for AWS.

    Environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and the like;
    then ~/.aws, then the metadata service of the machine or the container.
    """

    endpoint: Url | None = None
    """Another service than AWS: https://storage.yandexcloud.net, or your own MinIO."""
    region: str | None = Field(default=None, min_length=1)
    """The bucket's region."""
    path_style: bool | None = None
    """Whether the bucket is in the URL's path, not its host; null: yes, if `endpoint` is set."""
    access_key_id: SecretStr | None = None
    """The static key's id."""
    secret_access_key: SecretStr | None = None
    """The static key's secret."""
    session_token: SecretStr | None = None
    """The session token of a temporary key."""
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
    """Access to a gs:// output; by default with Google's application default credentials."""

    endpoint: Url | None = None
    """Another service than Google's."""
    service_account_key_file: Path | None = None
    """A service account's key (JSON)."""
    ca_file: Path | None = None
    """A PEM file with authorities to trust as well; null for `network.ca_file`."""


class Output(Section):
    """The place of the snapshots, and the rules for publishing and keeping them."""

    url: OutputUrl = "./snapshots"
    """A path, or file://, s3:// or gs://."""
    s3: S3 = S3()
    """Access to an s3:// output."""
    gs: Gs = Gs()
    """Access to a gs:// output."""
    formats: list[Format] = Field(default=["parquet", "ndjson"], min_length=1)
    """The formats to write."""
    staging: Path | None = None
    """The staging folder; null: inside a local output, otherwise in the cache folder."""
    on_partial: Literal["publish", "fail"] = "publish"
    """Whether to publish a partial result as partial, or not at all."""
    report: bool = False
    """Whether an export also writes a report for people, reports/<snapshot id>.html; it needs the
    extra registry-exporter[report]."""
    resume_within: Duration = timedelta(hours=24)
    """How old unfinished staging may be to be resumed."""
    keep: Keep | None = None
    """Retention, applied after an export; null keeps everything."""
    max_shrink: Percent | None = "50%"
    """The share of images that may be missing compared with the newest complete snapshot. A result
    with fewer images, or none, is not published; null publishes any result."""

    @field_validator("max_shrink", mode="before")
    @classmethod
    def _read_null(cls, share: object) -> object:
        # An environment variable cannot say null in another way.
        return None if share == "null" else share

    @field_validator("keep")
    @classmethod
    def _keeps_something(cls, keep: Keep | None) -> Keep | None:
        if keep is not None and not (keep.has_rule or "partial" in keep.model_fields_set):
            raise ValueError("one of last, daily, weekly and monthly is needed, with more than 0")
        return keep
