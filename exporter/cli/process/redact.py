"""The last guard against secrets in output: text that looks like one is replaced.

Nothing below the command line puts a secret into an event or an error. A library might, in a
message or a traceback of its own.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_SECRET_KEYS = re.compile(
    r"authorization|(^|_)(token|jwt|secret|password|private_key|access_key(_id)?|oauth)$",
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"\bt1\.[A-Za-z0-9_.-]{10,}"  # IAM tokens
    r"|\by[0-3]_[A-Za-z0-9_-]{10,}"  # OAuth tokens
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*"  # JWTs
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=\bBearer )\S+",
    re.DOTALL,
)


def redact(text: str) -> str:
    """Return the text without anything that looks like a token, a JWT or a private key."""
    return _SECRETS.sub(REDACTED, text)


def is_secret_key(name: str) -> bool:
    """Return whether a key of an event names something that must not be shown."""
    return bool(_SECRET_KEYS.search(name))
