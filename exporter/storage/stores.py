"""Object stores through the library obstore: S3 and Google Cloud Storage.

Obstore signs a body as it is, or by its parts. It sends no trailing checksums, which few services
other than AWS support. Its writes can be conditional. An upload takes about half of the CPU time
and memory of PyArrow's file systems, and small objects are at least twice as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from exporter.errors import SettingsError
from exporter.storage.access import Access

if TYPE_CHECKING:
    from obstore.store import (
        ClientConfig,
        GCSConfig,
        GCSCredential,
        RetryConfig,
        S3Config,
        S3Credential,
    )

Store = S3Store | GCSStore

_QUICK_CALL = timedelta(seconds=10)
_PATIENT_CALL = timedelta(minutes=5)
"""For a whole call with its body: on a slow line, a part of a large file may take minutes."""
# The last attempt begins before `retry_timeout` is over, so a bucket is given up within 25 seconds.
_QUICK: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=13)}
_PATIENT: RetryConfig = {"max_retries": 10, "retry_timeout": timedelta(minutes=3)}


def open_store(scheme: str, bucket: str, prefix: str, access: Access, *, patient: bool) -> Store:
    """Return a store; without `patient` it gives up within half a minute.

    Raises `SettingsError` if the certificates or the key file cannot be used.
    """
    options = _client(access, patient=patient)
    retries = _PATIENT if patient else _QUICK
    place = prefix or None
    try:
        if scheme == "gs":
            return GCSStore(
                bucket,
                prefix=place,
                config=_gs_config(access),
                client_options=options,
                retry_config=retries,
                credential_provider=_stand_in(access),
            )
        return S3Store(
            bucket,
            prefix=place,
            config=_s3_config(bucket, access),
            client_options=options,
            retry_config=retries,
            credential_provider=_static(access),
        )
    except (BaseError, ValueError, OSError) as error:
        reason = " ".join(str(error).splitlines()[:1]).rstrip(".") or type(error).__name__
        raise SettingsError(
            f"The bucket {scheme}://{bucket} cannot be used: {reason}; check output.{scheme}."
        ) from None


def _s3_config(bucket: str, access: Access) -> S3Config:
    config: S3Config = {
        "region": access.region,
        "virtual_hosted_style_request": not access.path_style and "." not in bucket,
        # Not every service can remove several objects in one call.
        "disable_bulk_delete": True,
    }
    if access.endpoint is not None:
        parts = urlsplit(access.endpoint)
        within = not config["virtual_hosted_style_request"]
        host = access.endpoint if within else f"{parts.scheme}://{bucket}.{parts.netloc}"
        # Under both names, because each has an environment variable that would override it.
        config |= {"endpoint": host, "aws_endpoint_url_s3": host}
    return config


def _static(access: Access) -> Callable[[], S3Credential] | None:
    """Return a provider of the static key, so that no variable of the environment mixes with it."""
    if access.key is None:
        return None
    token = access.key.session_token
    credential: S3Credential = {
        "access_key_id": access.key.access_key_id.get_secret_value(),
        "secret_access_key": access.key.secret_access_key.get_secret_value(),
        "token": token.get_secret_value() if token is not None else None,
        "expires_at": None,
    }
    return lambda: credential


def _gs_config(access: Access) -> GCSConfig:
    config: GCSConfig = {}
    if access.key_file is not None:
        config["service_account"] = str(access.key_file)
    if access.endpoint is not None:
        config["base_url"] = access.endpoint
    return config


def _stand_in(access: Access) -> Callable[[], GCSCredential] | None:
    """Return a provider of a dummy token, for a server on this machine that needs none."""
    if access.key_file is not None or not (access.endpoint or "").startswith("http://"):
        return None
    return lambda: {"token": "none", "expires_at": None}


def _client(access: Access, *, patient: bool) -> ClientConfig:
    options: ClientConfig = {
        "connect_timeout": min(_QUICK_CALL, timedelta(seconds=5)),
        "timeout": _PATIENT_CALL if patient else _QUICK_CALL,
        "user_agent": "registry-exporter",
    }
    plain = urlsplit(access.endpoint or "")
    if plain.scheme == "http" and plain.hostname:
        # A proxy would look for a loopback address on its own machine.
        options |= {
            "allow_http": True,
            "proxy_url": "http://127.0.0.1:9",
            "proxy_excludes": plain.hostname,
        }
    if access.ca_file is not None:
        try:
            options["root_certificate"] = access.ca_file.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"The certificates {access.ca_file} cannot be used: {error.strerror}."
            ) from None
    return options
