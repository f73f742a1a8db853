"""The settings of registries that speak the OCI distribution API (`source: oci`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from exporter.settings.section import Section
from exporter.settings.values import check_host, is_loopback

Flavor = Literal["auto", "distribution", "harbor"]

HUB = "docker.io"
OFF = "off"
"""The `oci.cache` of a run that keeps nothing."""
_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})


def _check_registry(text: str) -> str:
    """Accept `host[:port][/base/path]`, also behind https://, and http:// on loopback."""
    scheme, separator, rest = text.strip().partition("://")
    rest = (rest if separator else scheme).rstrip("/")
    if separator and scheme not in ("http", "https"):
        raise ValueError("not a registry such as registry.example.com:5000")
    parts = urlsplit(f"//{rest}")
    is_host = parts.hostname and not parts.hostname.startswith("-")  # As a flag without a value.
    if not is_host or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "a host with its port, and a base path if it has one, is needed, such as "
            "registry.example.com:5000"
        )
    check_host(parts)
    if scheme == "http" and separator and not is_loopback(parts.hostname or ""):
        raise ValueError("write the host alone, and plain_http: true beside it for plain HTTP")
    if parts.netloc.lower() in _HUB_NAMES:
        return HUB + parts.path
    return parts.netloc.lower() + parts.path


RegistryAddress = Annotated[str, AfterValidator(_check_registry)]


class OciRegistry(Section):
    """One registry: where it is, and how it is read."""

    registry: RegistryAddress
    """The host, with its port and its base path if it has one: registry.example.com:5000."""
    flavor: Flavor = "auto"
    """The list API to use: distribution or harbor; auto finds out."""
    username: str | None = Field(default=None, min_length=1)
    """The user; without one, the credential files of docker, podman and skopeo are read."""
    password: SecretStr | None = None
    """The password, or an access token, of the user."""
    ca_file: Path | None = None
    """A PEM file with the authorities to trust for this registry; null for `network.ca_file`."""
    plain_http: bool = False
    """Use plain HTTP, which shows secrets to the network; on loopback it is allowed anyway."""
    repositories: list[str] = Field(default=[])
    """The repositories by name, for a registry that does not list them."""
    immutable_tags: list[str] = Field(default=[])
    """Glob patterns of tags that never move: one that was read before is not asked for again."""

    @property
    def host(self) -> str:
        """The host with its port, which is the registry's id."""
        return self.registry.partition("/")[0]

    @property
    def base_path(self) -> str:
        """The path before `/v2/`, without a slash at its end; empty for most registries."""
        return self.registry[len(self.host) :]

    @field_validator("repositories")
    @classmethod
    def _name_repositories(cls, names: list[str]) -> list[str]:
        for name in names:
            if not name.strip("/") or name != name.strip() or "//" in name:
                raise ValueError(f"{name!r} is not the name of a repository, such as team/app")
        return [name.strip("/") for name in names]

    @model_validator(mode="after")
    def _both_or_none(self) -> OciRegistry:
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            raise ValueError(f"{missing} is needed too; name both, or neither")
        return self


class Oci(Section):
    """Registries that speak the OCI distribution API."""

    registries: list[OciRegistry] = Field(default=[])
    """The registries to list."""
    cache: str | None = Field(default=None, min_length=1)
    """The folder that keeps manifests between runs; null for the user's cache folder, `off` for
    none."""
    configs: bool = True
    """Whether to read the images' config blobs, for platform, labels and time."""

    @field_validator("cache", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return OFF if value is False else value  # As YAML reads `off`.

    @model_validator(mode="after")
    def _each_once(self) -> Oci:
        hosts = [one.host for one in self.registries]
        twice = next((host for host in hosts if hosts.count(host) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands twice in oci.registries; name it once")
        return self
