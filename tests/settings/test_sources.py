"""Where settings come from: flags over the environment, over the file, over the defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import READING, Keep, Settings, load_settings
from tests.settings.conftest import Load, Refuse

FOUR = """
limits:
  page_size: 100
  attempts: 3
  concurrency: 4
"""


def test_flags_win_over_the_environment_over_the_file_over_defaults(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__CONCURRENCY", "8")
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__ATTEMPTS", "5")
    limits = load(FOUR, {"limits": {"concurrency": 16}}).limits
    assert (limits.concurrency, limits.attempts, limits.page_size) == (16, 5, 100)
    assert limits.request_timeout == Settings().limits.request_timeout


def test_without_a_file_the_environment_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__SCOPE__FOLDERS", '["b1g1", "b1g2"]')
    monkeypatch.setenv("REGISTRY_EXPORTER__PROFILE", "yandex")
    settings = load_settings()
    assert settings.scope.folders == ["b1g1", "b1g2"]
    assert settings.api_domain == "api.cloud.yandex.net"


@pytest.mark.parametrize(
    "text",
    ["parquet,ndjson", " parquet , ndjson,", '["parquet", "ndjson"]', ' ["parquet","ndjson"]'],
)
def test_a_list_in_the_environment_is_json_or_has_commas(
    text: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__OUTPUT__FORMATS", text)
    assert load("output: {formats: [ndjson]}").output.formats == ["parquet", "ndjson"]
    assert Settings().output.formats == ["parquet", "ndjson"]


def test_a_variable_of_one_setting_wins_over_its_sections(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS", '{"concurrency": 8, "attempts": 5}')
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__CONCURRENCY", "16")
    limits = load(FOUR).limits
    assert (limits.concurrency, limits.attempts, limits.page_size) == (16, 5, 100)


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("LIMITS__CONCURRENCY", "0", "limits.concurrency: at least 1"),
        ("LIMITS", '{"concurrency": 0}', "limits.concurrency: at least 1"),
        ("LIMITS", '{"concurency": 1}', "limits.concurency: there is no such setting"),
        ("LIMITS", "concurrency=8", "limits: a section is needed as JSON"),
        ("SCOPE__FOLDERS", '["b1g1"', "scope.folders: it begins as a JSON list, and is none"),
        ("OUTPUT__FORMATS", "parquet,csv", "output.formats[1]: 'parquet' or 'ndjson' is needed"),
    ],
)
def test_a_wrong_value_from_the_environment_is_blamed_on_its_variable(
    variable: str, text: str, words: str, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"REGISTRY_EXPORTER__{variable}", text)
    refusal = refuse("limits:\n  concurrency: 3\nscope:\n  folders: [a]\n")
    assert f"REGISTRY_EXPORTER__{variable} in the environment: {words}" in refusal
    assert "settings.yaml" not in refusal


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("REGISTRY_EXPORTER_OUTPUT", "REGISTRY_EXPORTER__OUTPUT__URL"),
        ("REGISTRY_EXPORTER_OUTPUT_URL", "REGISTRY_EXPORTER__OUTPUT__URL"),
        ("REGISTRY_EXPORTER_OUTPUT__URL", "REGISTRY_EXPORTER__OUTPUT__URL"),
        ("REGISTRY_EXPORTER_LIMITS_PAGE_SIZE", "REGISTRY_EXPORTER__LIMITS__PAGE_SIZE"),
        ("REGISTRY_EXPORTER_CONCURRENCY", "REGISTRY_EXPORTER__LIMITS__CONCURRENCY"),
        ("registry_exporter_profile", "REGISTRY_EXPORTER__PROFILE"),
    ],
)
def test_a_variable_with_one_underscore_too_few_is_refused_with_the_right_name(
    variable: str, right: str, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "t1.a-secret-perhaps")
    refusal = refuse("limits: {concurrency: 3}")
    assert refusal.startswith(f"{variable} in the environment: ")
    assert refusal.endswith(f"write {right}.")
    assert "t1." not in refusal


def test_variables_that_only_begin_as_ours_are_no_settings(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Kubernetes sets these for a service of the name registry-exporter.
    monkeypatch.setenv("REGISTRY_EXPORTER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("REGISTRY_EXPORTER_PORT", "tcp://10.0.0.1:80")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("1.5m", 90), ("45", 45), (45, 45), (0.5, 0.5)]
)
def test_every_time_takes_a_unit_and_is_seconds_without_one(
    text: object, seconds: float, load: Load
) -> None:
    settings = load("", {"limits": {"request_timeout": text}, "output": {"resume_within": text}})
    assert settings.limits.request_timeout.total_seconds() == seconds
    assert settings.output.resume_within.total_seconds() == seconds


def test_a_wrong_value_from_a_flag_is_blamed_on_the_flag(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__LIMITS__CONCURRENCY", "4")
    refusal = refuse("limits:\n  concurrency: 3\n", {"limits": {"concurrency": 0}})
    assert refusal == "--concurrency: limits.concurrency: at least 1 is needed."


def test_values_that_do_not_go_together_are_named_with_all_their_places(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__CREDENTIALS__OAUTH_TOKEN", "y0_secret")
    refusal = refuse("\ncredentials:\n  metadata: true\n")
    assert "settings.yaml, line 2 and REGISTRY_EXPORTER__CREDENTIALS__OAUTH_TOKEN in" in refusal
    assert "oauth_token, metadata are set" in refusal


def test_a_list_in_a_flag_replaces_the_files(load: Load) -> None:
    settings = load("scope: {folders: [a, b]}", {"scope": {"folders": ["c"]}})
    assert settings.scope.folders == ["c"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "limits:\noutput:\n", "---\n"])
def test_a_file_that_says_nothing_means_the_defaults(text: str, load: Load) -> None:
    assert load(text) == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "scope:\n  clouds:\n",
        "scope:\n  repositories:\n    include:\n    exclude: null\n",
        "limits:\n  concurrency:\n  requests_per_second:\n",
        "output:\n  url:\n  keep:\n  formats: ~\n",
        "credentials:\n  iam_token:\n  metadata:\n",
    ],
)
def test_a_key_that_is_left_empty_means_its_default(text: str, load: Load) -> None:
    assert load(text) == Settings()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("limts:\n", "line 1: limts"),
        ("limits:\n  concurency:\n", "line 2: limits.concurency"),
        ("output:\n  keep: {last: 1, dayly: }\n", "line 2: output.keep.dayly"),
        ("scope:\n  clouds: [a, null]\n", "line 2: scope.clouds[1]"),
    ],
)
def test_what_is_no_key_is_refused_even_if_it_is_left_empty(
    text: str, place: str, refuse: Refuse
) -> None:
    assert place in refuse(text)


def test_yaml_merges_and_anchors_are_taken(load: Load) -> None:
    limits = load("limits:\n  <<: {concurrency: 3}\n  attempts: &n 2\n  page_size: *n\n").limits
    assert (limits.concurrency, limits.attempts, limits.page_size) == (3, 2, 2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("'90'", 90),
        ("' 1.5 '", 1.5),
        ("90s", 90),
        ("15m", 900),
        ("1.5h", 5400),
        ("7d", 604_800),
        ("'24 H'", 86_400),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_seconds(
    text: str, seconds: float, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(f"output: {{resume_within: {text}}}")
    assert settings.output.resume_within == timedelta(seconds=seconds)
    monkeypatch.setenv("REGISTRY_EXPORTER__OUTPUT__RESUME_WITHIN", text.strip("'"))
    assert load().output.resume_within == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["soon", "2 fortnights", "0", "-5m", "5 m 3 s", "99999999999999d"])
def test_what_is_no_duration_is_refused(text: str, refuse: Refuse) -> None:
    assert "output.resume_within" in refuse(f"output:\n  resume_within: {text}\n")


def test_a_value_is_filled_in_from_the_environment_and_from_files(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t1.from-a-file\n")
    monkeypatch.setenv("PLACE", "/srv")
    settings = load(
        """
        credentials: {iam_token: "${file:token}"}
        output: {url: "${PLACE}/${PLACE}/snapshots"}
        scope: {folders: ["${PLACE}"]}
        """
    )
    assert settings.credentials.iam_token is not None
    assert settings.credentials.iam_token.get_secret_value() == "t1.from-a-file"
    assert settings.output.url == "/srv//srv/snapshots"
    assert settings.scope.folders == ["/srv"]


@pytest.mark.parametrize(
    "value",
    [
        "a: b",
        "[x, y]",
        "{a: 1}",
        "# gone",
        "null",
        "${HOME}",
        "&a *b",
        "'",
        "two\nlines: 1",
        "!!int",
    ],
)
def test_what_is_filled_in_stays_a_text_whatever_yaml_would_make_of_it(
    value: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", value)
    token = load("credentials:\n  iam_token: ${TOKEN}\n").credentials.iam_token
    assert token is not None
    assert token.get_secret_value() == value


def test_two_dollars_stand_for_one_that_is_not_filled_in(load: Load) -> None:
    assert load("output: {url: '$${HOME}/x'}").output.url == "${HOME}/x"


def test_keys_are_not_filled_in(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "concurrency")
    assert "limits.${KEY}" in refuse("limits:\n  ${KEY}: 4\n")


@pytest.mark.parametrize(
    ("placeholder", "words"),
    [
        ("${NOBODY_SET_THIS}", "environment variable NOBODY_SET_THIS is not set"),
        ("${file:not/there}", "not/there cannot be read"),
        ("${a b}", "neither"),
        ("${}", "neither"),
        ("${file:}", "names no file"),
        ("${unclosed", "has no }"),
        ("${OPEN", "has no }"),
    ],
)
def test_what_cannot_be_filled_in_is_refused_where_it_stands(
    placeholder: str, words: str, refuse: Refuse
) -> None:
    refusal = refuse(f"scope:\n  folders:\n    - ok\n    - {placeholder!r}\n")
    assert "settings.yaml, line 4: scope.folders[1]: " in refusal
    assert words in refusal


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("REGISTRY_EXPORTER__LIMITS__CONCURENCY", "limits.concurrency"),
        ("REGISTRY_EXPORTER__LIMIT__PAGE_SIZE", "limits.page_size"),
        ("registry_exporter__output__ur", "output.url"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(
    variable: str, nearest: str, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "4")
    refusal = refuse()
    assert variable in refusal
    assert f"did you mean {nearest}?" in refusal


def test_a_variable_that_cannot_be_read_is_refused_without_its_value(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_EXPORTER__CREDENTIALS", '{"iam_token": "t1.secret", }')
    refusal = refuse()
    assert "credentials" in refusal
    assert "t1.secret" not in refusal


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml cannot be read: No such file"):
        load_settings(tmp_path / "absent.yaml")


def test_a_command_that_reads_an_output_needs_no_other_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "credentials: {iam_token: '${NOT_SET}'}\n"
        "scope: {folders: ['${NOT_SET_EITHER}']}\n"
        "output: {url: ./here}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("REGISTRY_EXPORTER__CREDENTIALS__METADATA", "neither true nor false")
    settings = load_settings(file, only=READING)
    assert settings.output.url == "./here"
    assert settings.credentials.named() == []
    file.write_text("outptu: {url: ./here}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="did you mean output"):
        load_settings(file, only=READING)


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        *(("50%", "50%"), ("12.5%", "12.5%"), ("0.25", "25%"), ("0", "0%"), ("100%", "100%")),
        ("null", None),
    ],
)
def test_the_most_a_result_may_shrink_is_a_percentage_or_null(
    text: str, percent: str | None, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(f"output: {{max_shrink: {text}}}").output.max_shrink == percent
    monkeypatch.setenv("REGISTRY_EXPORTER__OUTPUT__MAX_SHRINK", text)
    assert Settings().output.max_shrink == percent


@pytest.mark.parametrize("text", ["50", "1", "1.0", "101%", "-5%", "half", "true", "'%'"])
def test_what_is_no_percentage_is_refused(text: str, refuse: Refuse) -> None:
    said = refuse(f"output: {{max_shrink: {text}}}")
    assert said.startswith("output.max_shrink: ") or "line 1: output.max_shrink: " in said


def test_retention_may_bound_partial_snapshots_alone(load: Load, refuse: Refuse) -> None:
    assert load("output: {keep: {partial: 2}}").output.keep == Keep(partial=2)
    assert "output.keep: one of last" in refuse("output: {keep: {last: 0}}")


def test_stdout_is_no_output(refuse: Refuse) -> None:
    assert "name a folder or a bucket" in refuse("output: {url: '-'}")


def test_a_settings_file_that_is_a_broken_link_says_where_it_leads(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.symlink_to("moved.yaml")
    with pytest.raises(SettingsError, match=r"is a link to moved\.yaml, which is not there"):
        load_settings(file)
