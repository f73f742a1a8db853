"""The output that settings and environment describe: a folder, or a bucket and its keys."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from pydantic import SecretStr

from exporter.errors import OutputError, SettingsError
from exporter.links import broken_link
from exporter.settings import READING, S3, Gs, Settings, load_settings
from exporter.storage.access import Access, Key
from exporter.storage.destination import Destination
from exporter.storage.local import Folder
from exporter.storage.opening import open_destination
from exporter.wording import option

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
# If one of these is set, the object store's library uses it.
_OTHER_SOURCES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


SettingsOrUrl = Settings | str | os.PathLike[str]
"""The settings of an export, or the URL of its output: a path, `file://`, `s3://` or `gs://`."""


def settings_of(output: SettingsOrUrl) -> Settings:
    """Return the settings themselves, or those of a command with `--output URL`.

    For a URL, only the variables that concern an output are read. Raises `SettingsError`.
    """
    if isinstance(output, Settings):
        return output
    return load_settings(None, {"output": {"url": os.fspath(output)}}, only=READING)


def open_output(settings: Settings) -> Destination:
    """Return the destination that `output` names; nothing is opened yet.

    Values that `output.s3` leaves out come from the AWS environment variables and files. Raises
    `SettingsError` if those, or a file in the settings, cannot be used.
    """
    output, ca_file = settings.output, settings.network.ca_file
    if output.url.startswith("s3://"):
        return open_destination(output.url, s3_access(output.s3, ca_file))
    if output.url.startswith("gs://"):
        return open_destination(output.url, _gs_access(output.gs, ca_file))
    return open_destination(output.url)


def open_existing(settings: Settings, access: Access | None = None) -> Destination:
    """Return the destination that `output` names, to read what is published there.

    `access` is how to reach its bucket, by default as `open_output` finds out. Raises `OutputError`
    if a folder does not exist (a bucket is not checked), and `SettingsError` as `open_output` does.
    """
    url = settings.output.url
    destination = open_output(settings) if access is None else open_destination(url, access)
    if isinstance(destination, Folder) and not destination.root.is_dir():
        root = destination.root
        what = broken_link(root) or (
            f"{root} is no folder" if root.exists() else f"there is no folder {root}"
        )
        raise OutputError(
            f"There are no snapshots to look at, for {what}: name the {option('output')} of an "
            "export, or run one first."
        )
    return destination


def s3_access(s3: S3, ca_file: Path | None) -> Access:
    """Return how to reach S3: by `output.s3`, then by the AWS environment variables and files.

    Raises `SettingsError`.
    """
    profile = _Profile()
    endpoint = s3.endpoint or _endpoint_of_environment()
    key = None
    if s3.access_key_id is not None and s3.secret_access_key is not None:
        key = Key(s3.access_key_id, s3.secret_access_key, s3.session_token)
    elif not any(os.environ.get(name) for name in _OTHER_SOURCES):
        key = profile.key()
    return Access(
        endpoint=endpoint,
        region=s3.region or _first_of(_REGIONS) or profile.value("region") or Access.region,
        path_style=s3.path_style if s3.path_style is not None else endpoint is not None,
        key=key,
        ca_file=_readable(s3.ca_file, "output.s3.ca_file") or ca_file,
    )


def _gs_access(gs: Gs, ca_file: Path | None) -> Access:
    return Access(
        endpoint=gs.endpoint,
        key_file=_readable(gs.service_account_key_file, "output.gs.service_account_key_file"),
        ca_file=_readable(gs.ca_file, "output.gs.ca_file") or ca_file,
    )


def _readable(file: Path | None, name: str) -> Path | None:
    if file is not None:
        try:
            file.open("rb").close()
        except OSError as error:
            raise SettingsError(f"{name} {file} cannot be read: {error.strerror}.") from None
    return file


def _first_of(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def _endpoint_of_environment() -> str | None:
    """Return the service that the environment names instead of AWS, checked like a setting."""
    named = _first_of(_ENDPOINTS)
    if named is None:
        return None
    try:
        return S3(endpoint=named if "://" in named else f"https://{named}").endpoint
    except SettingsError as error:
        variable = next(name for name in _ENDPOINTS if os.environ.get(name))
        reason = str(error).removeprefix("endpoint: ")
        raise SettingsError(f"{variable} in the environment: {reason}") from None


class _Profile:
    """The current profile in ~/.aws/config and ~/.aws/credentials, which need not exist."""

    def __init__(self) -> None:
        self._name = os.environ.get("AWS_PROFILE") or "default"
        files = configparser.RawConfigParser()
        self._values: dict[str, str] = {}
        for variable, file, section in (
            ("AWS_CONFIG_FILE", "~/.aws/config", f"profile {self._name}"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", self._name),
        ):
            path = os.path.expanduser(os.environ.get(variable) or file)  # noqa: PTH111 - never fails
            try:
                files.read(path, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError):
                raise SettingsError(f"{path} is not a file of AWS profiles.") from None
            for name in (self._name, section):
                if files.has_section(name):
                    self._values.update(files.items(name))

    def value(self, name: str) -> str | None:
        """Return the profile's value of this name, if it has one."""
        return self._values.get(name) or None

    def key(self) -> Key | None:
        """Return the profile's static key; raises `SettingsError` for a profile of another kind."""
        key_id, secret = self.value("aws_access_key_id"), self.value("aws_secret_access_key")
        if key_id and secret:
            token = self.value("aws_session_token")
            return Key(SecretStr(key_id), SecretStr(secret), SecretStr(token) if token else None)
        if os.environ.get("AWS_PROFILE"):
            raise SettingsError(
                f"The AWS profile {self._name} (AWS_PROFILE) has no aws_access_key_id and "
                "aws_secret_access_key: name a profile that has, or set output.s3.access_key_id "
                "and output.s3.secret_access_key."
            )
        return None
