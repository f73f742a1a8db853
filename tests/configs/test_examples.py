"""The examples in configs/: settings that load, units systemd takes, a CronJob that is sound."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from exporter.cli.app import app
from exporter.cli.spark import app as spark
from exporter.output import open_output
from exporter.settings import load_settings

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
README = ROOT / "README.md"
PROGRAM = "registry-exporter"


def cron_job() -> dict[str, Any]:
    return documents()["CronJob"]


def documents() -> dict[str, dict[str, Any]]:
    text = (CONFIGS / "kubernetes-cronjob.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = cron_job()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def unit(name: str) -> list[str]:
    lines = (CONFIGS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def parses(arguments: list[str]) -> None:
    """Check that the command line knows every flag of an example; nothing is run."""
    command = get_command(app)
    with command.make_context(PROGRAM, list(arguments), resilient_parsing=False) as context:
        name, subcommand, rest = command.resolve_command(context, arguments)  # type: ignore[attr-defined]
        assert subcommand.make_context(name, rest, parent=context).params["config"]


def test_the_nightly_job_keeps_snapshots_and_publishes_partial_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REGISTRY_IAM_TOKEN", raising=False)
    settings = load_settings(CONFIGS / "cron.yaml")
    assert settings.credentials.named() == ["service_account_key_file"]
    assert settings.output.keep is not None
    assert settings.output.keep.daily == 14
    assert settings.output.on_partial == "publish"


def test_the_audit_is_of_one_registry_and_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ID", "crp1example")
    monkeypatch.setenv("REGISTRY_IAM_TOKEN", "t1.placeholder")
    settings = load_settings(CONFIGS / "audit.yaml")
    assert settings.scope.registries == ["crp1example"]
    assert settings.credentials.iam_token is not None
    assert settings.credentials.iam_token.get_secret_value() == "t1.placeholder"
    assert settings.output.on_partial == "fail"


def test_the_crontab_has_one_job_with_flags_that_exist() -> None:
    lines = unit("crontab")
    variables = [line for line in lines if re.match(r"[A-Z]+=", line)]
    (job,) = [line for line in lines if line not in variables]
    minute, hour, *_, user, program, rest = job.split(maxsplit=7)
    assert (int(minute), int(hour)) == (17, 2)
    assert (user, program) == (PROGRAM, PROGRAM)
    assert "%" not in job, "cron takes a percent sign for a line break"
    parses(shlex.split(rest))


def test_the_service_is_hardened_and_its_command_parses() -> None:
    lines = unit(f"{PROGRAM}.service")
    wanted = {
        "Type=oneshot",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "User=registry-exporter",
        "StateDirectory=registry-exporter",
        "LoadCredential=key.json:/etc/registry-exporter/key.json",
    }
    assert wanted <= set(lines)
    (start,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    program, *arguments = shlex.split(start)
    assert Path(program).name == PROGRAM
    parses(arguments)
    # The collector is another user: it sees neither a folder of mode 0750 nor /var/lib/private.
    metrics = Path(arguments[arguments.index("--metrics-file") + 1])
    assert f"ReadWritePaths=-{metrics.parent}" in lines
    assert f"install -d -m 2775 -g {PROGRAM} {metrics.parent}" in README.read_text("utf-8")
    assert not [line for line in lines if line.startswith("DynamicUser")]


def test_the_services_environment_sets_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in unit(f"{PROGRAM}.service"):
        if line.startswith("Environment="):
            name, _, value = line.removeprefix("Environment=").partition("=")
            monkeypatch.setenv(name, value.replace("%S", "/var/lib").replace("%d", "/run/creds"))
    settings = load_settings(CONFIGS / "cron.yaml")
    assert settings.output.url == "/var/lib/registry-exporter/snapshots"
    assert settings.credentials.service_account_key_file == Path("/run/creds/key.json")


def test_the_timer_is_nightly_and_catches_up() -> None:
    lines = unit(f"{PROGRAM}.timer")
    assert "OnCalendar=*-*-* 02:00:00" in lines
    assert "Persistent=yes" in lines
    assert "WantedBy=timers.target" in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    service = (CONFIGS / f"{PROGRAM}.service").read_text(encoding="utf-8")
    # The program is not installed where the example says, and systemd looks for it.
    service = service.replace(f"/opt/{PROGRAM}/bin/{PROGRAM}", "/bin/true")
    (tmp_path / f"{PROGRAM}.service").write_text(service, encoding="utf-8")
    shutil.copy(CONFIGS / f"{PROGRAM}.timer", tmp_path)
    units = [str(tmp_path / f"{PROGRAM}.{kind}") for kind in ("service", "timer")]
    verified = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_cron_job_runs_one_at_a_time_and_does_not_repeat_what_cannot_mend() -> None:
    spec = cron_job()["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [2, 3, 4, 6]
    (kept,) = [line for line in unit(f"{PROGRAM}.service") if line.startswith("RestartPrevent")]
    assert kept == "RestartPreventExitStatus=2 3 4 6"
    assert rule["onExitCodes"]["containerName"] == pod()["containers"][0]["name"]
    # A pod failure policy is refused with any other restart policy.
    assert pod()["restartPolicy"] == "Never"


def test_the_cron_jobs_pod_has_no_more_rights_than_it_needs() -> None:
    (container,) = pod()["containers"]
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= set(container["resources"])


def test_the_cron_jobs_settings_load_and_its_files_are_mounted(tmp_path: Path) -> None:
    (container,) = pod()["containers"]
    # The image's entry point is the program.
    arguments = container["args"]
    parses(arguments)
    settings_file = tmp_path / "settings.yaml"
    settings_file.write_text(documents()["ConfigMap"]["data"]["settings.yaml"], encoding="utf-8")
    settings = load_settings(settings_file)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    key = settings.credentials.service_account_key_file
    assert key is not None
    assert "secret" in volumes[mounts[str(key.parent)]]
    assert "persistentVolumeClaim" in volumes[mounts[settings.output.url]]
    config = Path(arguments[arguments.index("--config") + 1])
    assert "configMap" in volumes[mounts[str(config.parent)]]


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each as its name and all that follows."""
    text = (CONFIGS / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


@pytest.mark.skipif(
    shutil.which("hadolint", path=str(Path(sys.executable).parent)) is None,
    reason="PyPI has hadolint for Linux on x86-64 alone",
)
@pytest.mark.parametrize("dockerfile", ["Dockerfile", "spark/Dockerfile"])
def test_hadolint_finds_nothing_wrong_with_the_dockerfile(dockerfile: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run(
        [hadolint, "--failure-threshold", "style", CONFIGS / dockerfile],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


def test_the_image_is_the_one_that_the_cron_job_runs_and_has_nothing_to_build_with() -> None:
    steps = instructions()
    last = len(steps) - 1 - [name for name, _ in reversed(steps)].index("FROM")
    final = dict(steps[last:])
    assert re.fullmatch(r"python:3\.\d+-slim", final["FROM"])
    assert "RUN" not in final
    assert final["COPY"] == f"--from=build /opt/{PROGRAM} /opt/{PROGRAM}"
    assert final["ENTRYPOINT"] == f'["{PROGRAM}"]'
    security = pod()["securityContext"]
    assert final["USER"] == f"{security['runAsUser']}:{security['runAsGroup']}"
    for name, value in steps[:last]:
        if name == "COPY":
            *sources, _ = value.split()
            assert [one for one in sources if not (ROOT / one).exists()] == []
    (container,) = pod()["containers"]
    assert container["image"] in (CONFIGS / "Dockerfile").read_text(encoding="utf-8")


def test_nothing_is_installed_by_a_name_that_is_not_ours() -> None:
    for file in (README, *(one for one in CONFIGS.rglob("*") if one.is_file())):
        text = file.read_text(encoding="utf-8")
        installs = re.findall(r"(?:pip|pipx|uv tool) install ([^\n`]*)", text)
        assert [one for one in installs if re.search(rf"(^|\s){PROGRAM}", one)] == []


def test_the_readmes_steps_on_a_server_are_shell_and_install_files_that_exist() -> None:
    (steps,) = re.findall(r"```sh\n(useradd .*?)```", README.read_text("utf-8"), re.DOTALL)
    parsed = subprocess.run(["sh", "-n"], input=steps, text=True, capture_output=True, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, "")
    files = re.findall(r"configs/\S+", steps)
    assert len(files) == 3
    assert [file for file in files if not (ROOT / file).is_file()] == []
    settings = load_settings(CONFIGS / "cron.yaml")
    assert f"/{PROGRAM}/key.json" in steps
    assert str(settings.credentials.service_account_key_file) in steps
    assert str(Path(settings.output.url).parent) in steps
    (start,) = [line for line in unit(f"{PROGRAM}.service") if line.startswith("ExecStart=")]
    assert start.removeprefix("ExecStart=").startswith(f"/opt/{PROGRAM}/bin/{PROGRAM} ")
    assert f"python3 -m venv /opt/{PROGRAM}\n" in steps


@pytest.mark.parametrize(
    ("name", "host"),
    [("yandex-object-storage", "storage.yandexcloud.net"), ("minio", "minio.example.net")],
)
def test_the_examples_of_buckets_are_settings_that_reach_one(
    name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "secret")
    settings = load_settings(CONFIGS / f"{name}.yaml")
    s3 = settings.output.s3
    assert s3.secret_access_key is not None
    assert s3.secret_access_key.get_secret_value() == "secret"
    assert s3.endpoint is not None
    assert host in s3.endpoint
    assert open_output(settings).url == "s3://inventory/registry"


def test_the_example_of_a_warehouse_loads_after_each_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "secret")
    settings = load_settings(CONFIGS / "warehouse.yaml")
    assert settings.load.after_export
    assert settings.load.warehouse_schema == "registry_inventory"
    assert settings.load.to is not None
    assert settings.load.to.kind == "postgresql"
    assert "secret" not in str(settings.load.to)


@pytest.mark.parametrize("name", ["standalone", "kubernetes", "dataproc"])
def test_the_commands_for_spark_are_shell_and_pass_flags_that_the_program_has(name: str) -> None:
    script = CONFIGS / "spark" / f"{name}.sh"
    parsed = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, "")
    _, flags = script.read_text("utf-8").rsplit("--config ", 1)
    command = get_command(spark)
    given = ["--config", *flags.removesuffix(' "$@"\n').split()]
    with command.make_context(PROGRAM, given) as context:
        assert context.params["log_format"] == "json"


def test_the_settings_for_spark_load_and_name_a_staging_folder_and_no_secret() -> None:
    settings = load_settings(CONFIGS / "spark" / "export.yaml")
    assert settings.credentials.named() == ["service_account_key_file"]
    assert settings.output.staging is not None
    assert settings.limits.requests_per_second
