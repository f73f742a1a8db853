"""A place to write settings files, and an environment that says nothing by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from exporter.errors import SettingsError
from exporter.settings import Settings, load_settings

Load = Callable[..., Settings]
Refuse = Callable[..., str]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("REGISTRY_EXPORTER__"):
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads settings from a YAML text, with flags over it."""

    def load_text(text: str = "", flags: Mapping[str, Any] | None = None) -> Settings:
        file = tmp_path / "settings.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return load_settings(file, flags)

    return load_text


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """Return a function that loads what is to be refused, and returns the refusal."""

    def refuse_text(text: str = "", flags: Mapping[str, Any] | None = None) -> str:
        with pytest.raises(SettingsError) as caught:
            load(text, flags)
        return str(caught.value)

    return refuse_text
