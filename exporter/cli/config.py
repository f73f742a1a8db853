"""`config`: `check` shows the settings in force, `schema` prints the JSON Schema of all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel, Secret, SecretStr
from pydantic.json_schema import GenerateJsonSchema

from exporter.cli import options
from exporter.cli.groups import new_app
from exporter.cli.process.failures import reported
from exporter.cli.process.json_text import json_text
from exporter.errors import ExporterError, SettingsError
from exporter.http.authorities import trusted
from exporter.links import broken_link
from exporter.output import open_output
from exporter.settings import Settings, load_settings
from exporter.sources.cloud.credentials.choose import EITHER_VARIABLE, IAM_VARIABLES, OAUTH_VARIABLE
from exporter.sources.cloud.credentials.given import GivenToken, TokenFile
from exporter.sources.oci.cache import cache_file
from exporter.sources.oci.credentials.find import CredentialFinder
from exporter.staging.workspace import staging_root
from exporter.storage.destination import Destination
from exporter.storage.local import Folder

app = new_app(no_args_is_help=True, help="Check the settings, or print their schema.")


@app.command()
def check(
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Check the settings, and print those in force, with secrets masked.

    Variables of the environment (REGISTRY_EXPORTER__LIMITS__CONCURRENCY=8) win over the file.
    Makes no call and writes nothing. Exits with 2 if no run could use the settings: a file that
    they name is missing, or the output cannot be written. Of OCI registries it says where their
    credentials stand, and starts no helper.

    \b
    Example:
      registry-exporter config check --config cron.yaml
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        settings = load_settings(config)
        _check_usable(settings)
        typer.echo(_settings_in_force(settings), nl=False)


@app.command()
def schema(debug: options.Debug = False) -> None:
    """Print the JSON Schema of the settings, for editors and for checks in CI.

    \b
    Example:
      registry-exporter config schema > settings.schema.json
    """  # noqa: D301 - \b keeps a paragraph's lines as they are
    with reported(debug):
        typer.echo(_settings_schema(), nl=False)


def _check_usable(settings: Settings) -> None:
    """Refuse settings that no run could use; raises `SettingsError`, a line for each problem."""
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
    if settings.source == "oci":
        for one in settings.oci.registries:
            if one.ca_file is not None:
                yield partial(trusted, one.ca_file, f"oci.registries ({one.host}): ca_file")
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
    # Imported here because it loads `cryptography`, which only a key file needs.
    from exporter.sources.cloud.credentials.key import read_key  # noqa: PLC0415

    return read_key(file, f"the key file {file} (credentials.service_account_key_file)")


def _tried(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except ExporterError as error:
        return [f"{str(error).removesuffix('.')}."]
    return []


def _places(settings: Settings, destination: Destination) -> Iterator[str]:
    if isinstance(destination, Folder):
        yield from _unwritable("output.url", destination.root)
    if settings.output.staging is not None or not isinstance(destination, Folder):
        named = settings.output.staging
        name = "output.staging" if named else "The staging folder (output.staging)"
        yield from _unwritable(name, staging_root(destination, named))


def _unwritable(name: str, folder: Path) -> Iterator[str]:
    """Yield the reason why a folder cannot be written or made, if there is one."""
    link = broken_link(folder)
    if link:
        yield f"{name} {folder} cannot be written: {link}."
        return
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        yield f"{name} {folder} cannot be written: {there} is not a folder."
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"{name} {folder} cannot be written: this user may not write to {there}."


def _settings_in_force(settings: Settings) -> str:
    """Return the settings in force as YAML, secrets masked, and where credentials come from."""
    content = _plain(settings.model_dump(by_alias=True))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    where = f"# API: {settings.api_domain}\n# Credentials: {_credentials_origin(settings)}\n"
    if settings.source == "oci":
        where = "".join(f"# {line}\n" for line in _registries(settings))
    return f"# The settings in force; secrets are masked.\n{text}{where}"


def _plain(value: object) -> object:
    """Return a setting as it stands in a file."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    # A secret's text is its mask.
    return str(value) if isinstance(value, Secret | SecretStr | Path) else value


def _credentials_origin(settings: Settings) -> str:
    """Return in words where a run takes its credentials from; no secret is read."""
    named = settings.credentials.named()
    if named:
        return f"the setting credentials.{named[0]}"
    # The order is that of `exporter.sources.cloud.credentials.choose`.
    for name in (*IAM_VARIABLES, EITHER_VARIABLE, OAUTH_VARIABLE):
        if os.environ.get(name, "").strip():
            return f"the environment variable {name}"
    return "none are set; a run asks the metadata service of its machine"


def _registries(settings: Settings) -> Iterator[str]:
    """Yield in words where each registry's credentials stand, and the cache; no secret is shown."""
    for one in settings.oci.registries:
        origin = CredentialFinder(one).origin()
        found = f"credentials from {origin}" if origin else "no credentials, so called anonymously"
        yield f"Registry {one.registry}: {found}"
    file = cache_file(settings.oci.cache)
    yield f"Cache: {'none' if file is None else file.parent}"


def _settings_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a settings file."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = Settings.model_json_schema(schema_generator=_Schema)
    return json_text({"$schema": dialect, **schema})


class _Schema(GenerateJsonSchema):
    """Shows defaults as a file has them: pydantic's own would be ISO 8601 for a duration."""

    def encode_default(self, dft: Any) -> Any:
        values = dft.model_dump(by_alias=True) if isinstance(dft, BaseModel) else dft
        return super().encode_default(_plain(values))
