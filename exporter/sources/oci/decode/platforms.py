"""The platform of an image, as an index or a config states it."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.sources.oci.decode.fields import Fields

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Platform:
    """An operating system and a processor; None for what is not stated."""

    os: str | None = None
    os_version: str | None = None
    architecture: str | None = None
    variant: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it is a platform that something can run on."""
        stated = {self.os, self.architecture} - {None}
        return bool(stated) and stated != {_UNKNOWN}


def platform_of(fields: Fields) -> Platform:
    """Return the platform that an object states in the fields of the OCI specifications."""
    return Platform(
        os=fields.text("os"),
        os_version=fields.text("os.version"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
    )
