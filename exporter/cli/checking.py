"""Whether the settings can be run with: the files they name are there, the output can be written.

Nothing is called and nothing is written. What only a service or a bucket can tell, such as whether
a token is accepted, shows when a run begins.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from exporter.errors import ExporterError, SettingsError
from exporter.http.transport import trusted
from exporter.links import broken_link
from exporter.output import open_output
from exporter.settings import Settings
from exporter.sources.cloud.credentials.given import GivenToken, TokenFile
from exporter.staging.workspace import staging_root
from exporter.storage.destination import Destination
from exporter.storage.local import Folder


def check_usable(settings: Settings) -> None:
    """Refuse settings that no run could use; raises `SettingsError`, a line for each thing."""
    problems = [problem for check in _checks(settings) for problem in _tried(check)]
    try:
        destination = open_output(settings)
    except ExporterError as error:
        problems.append(str(error))
    else:
        problems += _places(settings, destination)
    if problems:
        raise SettingsError("\n".join(problems))


def _checks(settings: Settings) -> Iterator[Callable[[], object]]:
    credentials, ca_file = settings.credentials, settings.network.ca_file
    token, token_file = credentials.iam_token, credentials.iam_token_file
    key_file = credentials.service_account_key_file
    if token is not None:
        yield lambda: GivenToken(token, "credentials.iam_token")
    if token_file is not None:
        yield lambda: asyncio.run(TokenFile(token_file).fetch())
    if key_file is not None:
        yield lambda: _read_key(key_file)
    if ca_file is not None:
        yield lambda: trusted(ca_file)


def _read_key(file: Path) -> object:
    # It takes the cryptography that signs with it, for which nobody else should wait.
    from exporter.sources.cloud.credentials.key import read_key  # noqa: PLC0415

    return read_key(file, f"the key file {file} (credentials.service_account_key_file)")


def _tried(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except ExporterError as error:
        text = str(error).removesuffix(".")
        return [f"{text[:1].upper()}{text[1:]}." if text.startswith("the ") else f"{text}."]
    return []


def _places(settings: Settings, destination: Destination) -> Iterator[str]:
    if isinstance(destination, Folder):
        yield from _unwritable("output.url", destination.root)
    if settings.output.staging is not None or not isinstance(destination, Folder):
        named = settings.output.staging
        name = "output.staging" if named else "The staging folder (output.staging)"
        yield from _unwritable(name, staging_root(destination, named))


def _unwritable(name: str, folder: Path) -> Iterator[str]:
    """Yield why a folder could not be written, or made."""
    link = broken_link(folder)
    if link:
        yield f"{name} {folder} cannot be written: {link}."
        return
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        yield f"{name} {folder} cannot be written: {there} is no folder."
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"{name} {folder} cannot be written: this user may not write to {there}."
