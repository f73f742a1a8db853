"""The certificate authorities to trust, from a file that the settings name."""

from __future__ import annotations

import codecs
import ssl
from pathlib import Path

from exporter.errors import SettingsError


def trusted(ca_file: Path | None, setting: str = "network.ca_file") -> ssl.SSLContext | bool:
    """Return the trusted authorities in aiohttp's form; raises `SettingsError`."""
    if ca_file is None:
        return True  # aiohttp's own context, which uses the system's authorities
    try:
        content = ca_file.read_bytes()
        if not content.startswith(codecs.BOM_UTF8):
            return ssl.create_default_context(cafile=ca_file)
        # OpenSSL does not find a certificate after a byte order mark.
        text = content.decode("utf-8-sig", "replace").encode("ascii", "replace").decode()
        return ssl.create_default_context(cadata=text)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "it holds no PEM certificates"
    raise SettingsError(f"{setting} {ca_file} cannot be used: {reason}")
