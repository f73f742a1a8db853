"""`schema` and `config`: what is printed is what the code holds, and no secret is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from exporter import settings
from exporter.cli.app import app
from exporter.settings import Settings, load_settings
from exporter.snapshots.manifest import type_name
from exporter.tables.schemas import FORMAT_VERSION, TABLES

TOKEN = "t1.planted-iam-token-0123456789"


def printed(*arguments: str) -> str:
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_the_json_schema_of_the_tables_equals_the_tables() -> None:
    content = json.loads(printed("schema", "--format", "json"))
    assert content["format_version"] == FORMAT_VERSION
    assert list(content["tables"]) == list(TABLES)
    for name, table in TABLES.items():
        shown = content["tables"][name]
        assert shown["key"] == list(table.key)
        assert [(column["name"], column["type"]) for column in shown["columns"]] == [
            (field.name, type_name(field.type)) for field in table.schema
        ]
        assert all(column["description"] for column in shown["columns"])


def test_the_text_and_the_markdown_of_a_table_name_every_column() -> None:
    text = printed("schema", "images")
    markdown = printed("schema", "images", "--format", "markdown")
    for field in TABLES["images"].schema:
        assert f"  {field.name} " in text
        assert f"| `{field.name}` | `{type_name(field.type)}` |" in markdown
    assert "layers.position" not in text
    assert markdown.startswith("## `images`")


def test_an_unknown_table_is_answered_with_the_nearest() -> None:
    shown = CliRunner().invoke(app, ["schema", "image"])
    assert shown.exit_code == 2
    assert "did you mean images?" in shown.stderr


def test_every_default_in_the_schema_of_the_settings_is_taken() -> None:
    schema = json.loads(printed("config", "schema"))
    for name, model in {"Settings": schema, **schema["$defs"]}.items():
        defaults = {
            key: value["default"]
            for key, value in model["properties"].items()
            if "default" in value
        }
        section: type[BaseModel] = getattr(settings, name)
        needed = dict.fromkeys(model.get("required", ()), "a.example")
        assert section(**needed, **defaults) == section(**needed)


def test_the_schema_of_the_settings_is_whole_and_describes_every_setting() -> None:
    schema: dict[str, Any] = json.loads(printed("config", "schema"))
    assert schema["$schema"].endswith("2020-12/schema")
    assert set(schema["properties"]) == set(Settings.model_fields)
    objects = [schema, *schema["$defs"].values()]
    for one in objects:
        assert one["additionalProperties"] is False
        for name, setting in one["properties"].items():
            assert setting.get("description") or "$ref" in setting, name
            for reference in references(setting):
                assert reference.removeprefix("#/$defs/") in schema["$defs"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_the_settings_in_force_can_be_read_back_and_hold_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(f"credentials: {{iam_token: {TOKEN}}}\noutput: {{keep: {{last: 3}}}}\n")
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__CONCURRENCY", "7")
    shown = printed("config", "check", "--config", str(config))
    assert TOKEN not in shown
    assert "Credentials: the setting credentials.iam_token" in shown
    content = yaml.safe_load(shown)
    assert content["limits"]["concurrency"] == 7
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    monkeypatch.delenv("REGISTRY_EXPORTER__LIMITS__CONCURRENCY")
    reread = load_settings(again)
    assert reread.limits.concurrency == 7
    assert reread.output == load_settings(config).output


@pytest.mark.parametrize(
    ("variable", "origin"),
    [
        ("REGISTRY_IAM_TOKEN", "the environment variable REGISTRY_IAM_TOKEN"),
        ("YC_TOKEN", "the environment variable YC_TOKEN"),
        ("SOMETHING_ELSE", "the metadata service"),
    ],
)
def test_where_credentials_come_from_is_said(
    variable: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REGISTRY_IAM_TOKEN", "IAM_TOKEN", "NEBIUS_IAM_TOKEN", "YC_IAM_TOKEN", "YC_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("REGISTRY_OAUTH_TOKEN", raising=False)
    monkeypatch.setenv(variable, TOKEN)
    shown = printed("config", "check")
    assert origin in shown
    assert TOKEN not in shown


def test_a_setting_that_cannot_be_used_ends_the_check_with_2(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("limits:\n  concurency: 4\n")
    shown = CliRunner().invoke(app, ["config", "check", "--config", str(config)])
    assert shown.exit_code == 2
    assert "line 2" in shown.stderr
    assert "limits.concurrency" in shown.stderr


UNUSABLE = {
    "a token file that is not there": (
        "credentials: {iam_token_file: absent}",
        "The file absent (credentials.iam_token_file) cannot be read (No such file or directory)",
    ),
    "a key file that is no key": (
        "credentials: {service_account_key_file: a-file}",
        "The key file a-file (credentials.service_account_key_file) ",
    ),
    "authorities that are none": (
        "network: {ca_file: a-file}",
        "network.ca_file a-file cannot be used",
    ),
    "an output below a file": (
        "output: {url: a-file/snapshots}",
        "output.url a-file/snapshots cannot be written: ",
    ),
    "an output that is a broken link": (
        "output: {url: a-link}",
        "a-link is a link to gone, which is not there.",
    ),
    "staging below a broken link": (
        "output: {url: s3://bucket/x, staging: a-link/staging}",
        "a-link is a link to gone, which is not there.",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_settings_that_no_run_could_use_do_not_pass_the_check(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, expected = UNUSABLE[case]
    Path("settings.yaml").write_text(text)
    Path("a-file").write_text("{}")
    Path("a-link").symlink_to("gone")
    shown = CliRunner().invoke(app, ["config", "check", "--config", "settings.yaml"])
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert expected in shown.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a-file", "a-link", "settings.yaml"]
