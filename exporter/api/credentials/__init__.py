"""Where IAM tokens come from (`API.md`, Tokens), and one place that keeps the token of the moment.

`choose_source` picks the source the settings or the environment name; `Tokens` asks it for a
token when one is needed, once for all who wait.
"""

from exporter.api.credentials.choose import choose_source
from exporter.api.credentials.token import Source, Token
from exporter.api.credentials.tokens import Tokens

__all__ = ["Source", "Token", "Tokens", "choose_source"]
