"""Credential helpers: programs `docker-credential-NAME` that keep credentials in a keychain."""

from __future__ import annotations

import re
import shutil
import subprocess

import orjson
import structlog

HELPER_SECONDS = 60.0
"""How long a helper may take; it may ask a person, or a cloud."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_log = structlog.get_logger(__name__)


def ask_helper(name: str, server: str) -> tuple[str, str] | None:
    """Return the user and the secret that a helper has for a server; None if it has none.

    What a helper writes is in no log: it may be a secret.
    """
    program = f"docker-credential-{name}"
    path = shutil.which(program) if _NAME.fullmatch(name) else None
    if path is None:
        _log.warning("credential_helper_failed", helper=program, reason="there is no such program")
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration names it
            [path, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
        answer = orjson.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("credential_helper_failed", helper=program, reason=type(error).__name__)
        return None
    except orjson.JSONDecodeError:
        answer = None
        _log.warning("credential_helper_failed", helper=program, reason="its answer is not JSON")
    if not isinstance(answer, dict):
        return None  # As a rule it knows no credentials of this server.
    username, secret = answer.get("Username"), answer.get("Secret")
    if not (isinstance(username, str) and isinstance(secret, str) and secret):
        return None
    return username, secret
