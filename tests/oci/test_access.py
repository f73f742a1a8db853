"""The real registry behind every kind of access: passwords, tokens, TLS, a prefix, a store."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

from tests.certificates import signed
from tests.e2e.commands import Run
from tests.oci.estate import Estate
from tests.oci.exports import export
from tests.oci.server import PASSWORD, USER, serving
from tests.oci.test_real_registry import assert_lists
from tests.oci.token_server import serving_files, serving_tokens

OURS = {"username": USER, "password": PASSWORD}


def has_no_secret(run: Run, *more: str) -> bool:
    """Say whether no byte that a run has written anywhere has a secret in it."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    secrets = [PASSWORD, pair, *more]
    written = [run.stdout.encode(), run.stderr.encode()]
    for path in run.output.parent.rglob("*"):
        if path.is_file() and path.name not in ("settings.yaml", "config.json"):
            content = path.read_bytes()
            written.append(gzip.decompress(content) if path.suffix == ".gz" else content)
    return not any(secret.encode() in content for secret in secrets for content in written)


def test_a_password_opens_a_registry_and_goes_to_no_store_of_blobs(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    (folder / "data").mkdir(parents=True)
    with (
        serving_files(folder / "data") as (store, seen),
        serving(folder, htpasswd=True, redirect=store) as registry,
    ):
        estate = Estate(registry, seed=2, repositories=2)
        estate.fill(images=2)
        told = export(tmp_path / "told", {"registry": registry.host, **OURS})
        assert told.code == 0, told.stderr
        assert_lists(told.snapshot(), estate)
        assert seen
        assert set(seen) == {""}

        found = tmp_path / "found"
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (found / ".docker").mkdir(parents=True)
        auths = {"auths": {f"http://{registry.host}/v1/": {"auth": pair}}}
        (found / ".docker/config.json").write_text(json.dumps(auths))
        run = export(found, {"registry": registry.host})
        assert run.code == 0, run.stderr
        assert_lists(run.snapshot(), estate)

        wrong = {"registry": registry.host, "username": USER, "password": "no-such-password-here"}
        refused = export(tmp_path / "wrong", wrong)
    assert refused.code == 4
    assert "denied" in refused.said
    assert not refused.published
    for each in (told, run, refused):
        assert has_no_secret(each, "no-such-password-here")


def test_each_repository_has_a_token_of_its_own(tmp_path: Path) -> None:
    with (
        serving_tokens(tmp_path / "tokens") as tokens,
        serving(tmp_path / "open") as registry,
    ):
        Estate(registry, seed=3, repositories=3).fill(images=1)
        with serving(tmp_path / "open", token=tokens.settings()) as closed:
            tokens.refused = {"team1/app"}
            run = export(tmp_path / "run", {"registry": closed.host, **OURS})
            scopes = [scope for scope, _ in tokens.asked]
            nobody = export(tmp_path / "nobody", {"registry": closed.host})
    assert run.code == 3, run.stderr
    names = ("solo", "team0/app", "team1/app")
    assert set(scopes) == {"registry:catalog:*", *(f"repository:{name}:pull" for name in names)}
    assert scopes.count("repository:solo:pull") == 1
    snapshot = run.snapshot()
    statuses = snapshot.statuses()
    assert statuses["tags", f"{closed.host}/team1/app"] == "denied"
    assert statuses["manifests", f"{closed.host}/solo"] == "complete"
    assert ("manifests", f"{closed.host}/team1/app") not in statuses
    assert {row["repository_name"] for row in snapshot.tables["images"]} == {
        f"{closed.host}/{name}" for name in ("solo", "team0/app")
    }
    assert nobody.code == 4
    assert "answered 401 to an anonymous caller" in nobody.said
    for each in (run, nobody):
        assert has_no_secret(each, "eyJ")


def test_a_registry_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as registry:
        pass
    limits = {"limits": {"outage": 0}}
    run = export(tmp_path / "run", {"registry": registry.host}, settings=limits)
    assert run.code == 1, run.stderr
    assert re.search(f"http://{registry.host} (has|does) not answer", run.said)
    assert "minutes" not in run.said
    assert not run.published


def test_a_private_authority_and_a_prefix(tmp_path: Path) -> None:
    certificates = signed(tmp_path)
    with serving(tmp_path / "registry", certificates=certificates, prefix="/deep/down") as registry:
        estate = Estate(registry, seed=4, repositories=2)
        estate.fill(images=2)
        target = {"registry": f"{registry.host}/deep/down", "ca_file": str(certificates[0])}
        run = export(tmp_path / "run", target)
        assert run.code == 0, run.stderr
        assert_lists(run.snapshot(), estate)
        untrusted = export(
            tmp_path / "untrusted",
            {"registry": target["registry"]},
            settings={"limits": {"outage": 0, "attempts": 1}},
        )
    assert untrusted.code == 1
    assert "certificate" in untrusted.said
    assert f"GET https://{registry.host}" in untrusted.said
