"""How to reach a bucket: plain values, found out by the caller that opens the destination."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True)
class Key:
    """A static key of an S3 service; `session_token` belongs to a temporary one."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr | None = None


@dataclass(frozen=True)
class Access:
    """How to reach the service of a bucket.

    `endpoint` is another service than AWS or Google: `https://host`, or `http://` on loopback.
    `key` (S3) and `key_file` (Google) sign the requests; None lets the library search the
    environment and the metadata service. `ca_file` is trusted in addition to the system's
    authorities.
    """

    endpoint: str | None = None
    region: str = "us-east-1"
    path_style: bool = False
    key: Key | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
