"""The settings as they are in force, and the JSON Schema of all there are."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.json_schema import GenerateJsonSchema

from exporter.cli.printing import json_text
from exporter.settings import Settings
from exporter.sources.cloud.credentials.choose import EITHER_VARIABLE, IAM_VARIABLES, OAUTH_VARIABLE


def effective_settings(settings: Settings) -> str:
    """Return the settings in force as YAML, secrets masked, and where credentials come from."""
    content = _plain(settings.model_dump())
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return (
        f"# The settings in force; secrets are masked.\n{text}"
        f"# API: {settings.api_domain}\n"
        f"# Credentials: {credentials_origin(settings)}\n"
    )


def _plain(value: object) -> object:
    """Return a setting as the file would have it."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    # A secret's text is its mask.
    return str(value) if isinstance(value, SecretStr | Path) else value


def credentials_origin(settings: Settings) -> str:
    """Return where credentials would be taken from, in words; no secret is looked at."""
    named = settings.credentials.named()
    if named:
        return f"the setting credentials.{named[0]}"
    # The order is that of `exporter.sources.cloud.credentials.choose`.
    for name in (*IAM_VARIABLES, EITHER_VARIABLE, OAUTH_VARIABLE):
        if os.environ.get(name, "").strip():
            return f"the environment variable {name}"
    return "none are set; the metadata service of this machine will be asked"


def settings_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a settings file."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = Settings.model_json_schema(schema_generator=_Schema)
    return json_text({"$schema": dialect, **schema})


class _Schema(GenerateJsonSchema):
    """Shows defaults as a file has them: pydantic's own would be ISO 8601 for a duration."""

    def encode_default(self, dft: Any) -> Any:
        values = dft.model_dump() if isinstance(dft, BaseModel) else dft
        return super().encode_default(_plain(values))
