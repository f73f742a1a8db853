"""What deleting images would free: random estates and policies, and the command on real exports."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from exporter import ReclaimPolicy, errors, open_snapshot, reclaim
from exporter.analyze.globs import as_re2
from exporter.analyze.lifecycle import parse_rules, read_rules
from exporter.analyze.reclaim import Rows
from exporter.emulator import Faults
from exporter.sql.database import connect
from exporter.staging.layout import Format
from exporter.storage.access import Access, Key
from exporter.storage.opening import open_destination
from tests import s3
from tests.answers.estates import covered, publish_estate
from tests.answers.reclaimed import Asked, Reclaimed, expected
from tests.conftest import ServeCloud
from tests.derive.estates import START, Blob, Image, World, digest, worlds
from tests.e2e.clouds import SMALL
from tests.e2e.commands import Exporter

DAY = timedelta(days=1)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: each try publishes a snapshot."""
REGISTRIES = tuple((f"r{number}", "f1", "c1") for number in (1, 2, 3))
TABLES: tuple[Rows, ...] = ("images", "repositories", "registries")
REGEXPS = (".*", "v1", "v.*", "v|v1", "latest|v2", "nothing")


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, list[Asked]]:
    """Estates, each with what is asked about it; some ages are exactly those of an image."""
    world = draw(worlds())
    # Ages of whole days: a rule can have them too.
    days = st.one_of(st.none(), st.integers(-3, 3).map(lambda days: START + days * DAY))
    # Most often something is listed whole, so that something can be freed.
    rare = st.integers(0, 3).map(lambda number: number == 0)
    world = replace(
        world,
        registries=world.registries if draw(rare) else REGISTRIES,
        coverage=world.coverage if draw(rare) else (),
        images=tuple(
            replace(image, created_at=draw(days)) if draw(st.booleans()) else image
            for image in world.images
        ),
    )
    return world, draw(st.lists(_asked(), min_size=3, max_size=4))


def _asked() -> st.SearchStrategy[Asked]:
    rule = st.fixed_dictionaries(
        {},
        optional={
            "tag_regexp": st.sampled_from(REGEXPS),
            "untagged": st.booleans(),
            "expire_period": st.sampled_from(("24h", "2d", "259200s", "400d")),
            "retained_top": st.integers(0, 3),
            "description": st.sampled_from(("Old", "")),
        },
    ).filter(
        lambda one: (
            ("tag_regexp" in one or one.get("untagged"))
            and ("expire_period" in one or "retained_top" in one)
        )
    )

    def some(*globs: str) -> st.SearchStrategy[tuple[str, ...]]:
        return st.lists(st.sampled_from(globs), min_size=1, max_size=2).map(tuple)

    flags: dict[str, st.SearchStrategy[Any]] = {
        "untagged": st.just(True),
        "older_than": st.sampled_from((0 * DAY, DAY, 2 * DAY, 300 * DAY)),
        "keep_last": st.integers(0, 3),
        "tags": some("*", "v*", "v[!1]", "lat?st"),
        "repositories": some("*", "a", "b/*", "r1/*", "R1/*"),
        "registries": st.just(("r1",)),
        "rules": st.lists(rule, min_size=1, max_size=3).map(tuple),
    }
    return (
        # More of them leave few images, or none.
        st.sets(st.sampled_from(sorted(flags)), min_size=1, max_size=2)
        .flatmap(lambda names: st.fixed_dictionaries({name: flags[name] for name in names}))
        .map(lambda asked: Asked(**asked))
    )


def policy_of(asked: Asked) -> ReclaimPolicy:
    rules = parse_rules(list(asked.rules)) if asked.rules else ()
    return ReclaimPolicy(**{**vars(asked), "rules": rules})


def answer(output: Path, policy: Any) -> Reclaimed:
    """Return what `reclaim` says, having checked that its tables and totals agree."""
    with open_snapshot(output, "night") as snapshot, reclaim(snapshot, policy) as plan:
        tables = {name: plan.rows(name).read_all().to_pylist() for name in TABLES}
        ids = [one for batch in plan.ids() for one in batch.column(0).to_pylist()]
        images = tables["images"]
        assert ids == [row["image_id"] for row in images]
        never = datetime.min.replace(tzinfo=UTC)
        places = [
            (row["repository_name"], row["created_at"] or never, row["image_id"]) for row in images
        ]
        assert all(before < after for before, after in pairwise(places))
        for name in ("repositories", "registries"):
            assert sum(row["image_count"] for row in tables[name]) == plan.image_count == len(ids)
            assert sum(row["logical_size"] for row in tables[name]) == plan.logical_size
        assert sum(row["freed_size"] for row in tables["registries"]) == plan.freed_size
        assert plan.logical_size == sum(row["compressed_size"] or 0 for row in images)
        return Reclaimed(
            images={row["image_id"]: row["alone_size"] for row in images},
            repositories={
                row["repository_name"]: row["alone_size"] for row in tables["repositories"]
            },
            registries={row["registry_id"]: row["freed_size"] for row in tables["registries"]},
            rules={row["image_id"]: _rules(row["rule"]) for row in images},
            left_out=[one.registry_id for one in plan.left_out],
        )


def _rules(text: str) -> list[int]:
    return [
        int(one.split()[1]) for one in text.partition("; ")[0].split(", ") if one.startswith("rule")
    ]


@settings(max_examples=8, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_policy_on_any_estate_frees_what_a_plain_calculation_says(
    case: tuple[World, list[Asked]],
) -> None:
    world, all_asked = case
    with tempfile.TemporaryDirectory() as folder:
        manifest = publish_estate(folder, "night", world)
        for asked in all_asked:
            known = {one for one, _, _ in world.registries} | {
                image.repository_name.partition("/")[0] for image in world.images
            }
            known |= {parent for listing, parent, _ in world.coverage if listing == "images"}
            if not known.issuperset(asked.registries):
                with pytest.raises(errors.SettingsError, match="knows no such registry"):
                    answer(Path(folder), policy_of(asked))
                continue
            found = answer(Path(folder), policy_of(asked))
            assert found == expected(covered(world), manifest.started_at, asked), asked


# What the words leave to be decided, by example.

MIB = 2**20
OLD, NEW = START - 10 * DAY, START - DAY


def _image(name: str, created_at: datetime | None, *tags: str, layers: tuple[int, ...]) -> Image:
    blobs = tuple(Blob(digest(one), MIB) for one in layers)
    return Image(name, "r1/app", blobs, tags=tags, created_at=created_at)


APP = World(
    images=(
        _image("a", None, layers=(1,)),
        _image("b", OLD, "test-1", layers=(1, 2, 2)),
        _image("c", OLD, "test-2", "v1", layers=(1, 3)),
        _image("d", NEW, "test-3", layers=(4,)),
        _image("e", NEW, layers=(4, 5)),
    ),
    clouds=("c1",),
    folders=(("f1", "c1"),),
    registries=(("r1", "f1", "c1"), ("r2", "f1", "c1")),
    repositories=("r1/app",),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish five images: two of one time, one without a time, some without a tag."""
    output = tmp_path_factory.mktemp("app")
    publish_estate(output, "night", APP)
    return output


@pytest.mark.parametrize(
    ("policy", "images", "freed"),
    [
        (ReclaimPolicy(untagged=True), "ae", 1),
        (ReclaimPolicy(tags=["test-*"]), "bd", 1),
        (ReclaimPolicy(tags=["test-*", "v?"]), "bcd", 2),
        # As old as that, but not older; and an image without a time is never old.
        (ReclaimPolicy(older_than=10 * DAY), "", 0),
        (ReclaimPolicy(older_than=10 * DAY - timedelta(microseconds=1)), "bc", 2),
        (ReclaimPolicy(older_than=timedelta.max), "", 0),
        # The greater id is the newer of one time; an image without a time is the oldest.
        (ReclaimPolicy(keep_last=1), "abcd", 3),
        (ReclaimPolicy(keep_last=4), "a", 0),
        (ReclaimPolicy(keep_last=0), "abcde", 5),
        # Of those that match all the rest, the newest are spared.
        (ReclaimPolicy(keep_last=1, older_than=5 * DAY), "b", 1),
        ([{"untagged": True, "expire_period": "24h"}], "", 0),
        ([{"tag_regexp": "test.*", "retained_top": 1}], "bc", 2),
        ([{"tag_regexp": "test.*", "expire_period": "216h", "retained_top": 2}], "b", 1),
        ([{"tag_regexp": "test", "retained_top": 0}], "", 0),
        ([{"tag_regexp": ".*", "untagged": True, "retained_top": 4}], "a", 0),
        # Both filter c, and the second keeps it.
        (
            [{"tag_regexp": "test.*", "retained_top": 0}, {"tag_regexp": "v1", "retained_top": 1}],
            "bd",
            1,
        ),
        # Flags choose among what the rules call for, and change nothing that they compare.
        (
            ReclaimPolicy(
                tags=["test-1"],
                rules=parse_rules([{"tag_regexp": "test.*", "retained_top": 2}]),
            ),
            "b",
            1,
        ),
    ],
)
def test_ties_ages_and_rules_are_decided_as_the_help_says(
    app: Path, policy: Any, images: str, freed: int
) -> None:
    found = answer(app, policy)
    assert "".join(sorted(found.images)) == images
    assert sum(found.registries.values()) == freed * MIB


def test_alone_an_image_or_a_repository_frees_only_what_no_other_uses(tmp_path: Path) -> None:
    base, common, twice, own = (Blob(digest(number), number) for number in (1, 10, 100, 1000))
    images = (
        Image("a", "r1/app", (base, common, twice, twice)),
        Image("b", "r1/app", (base, common)),
        Image("c", "r1/lib", (base, own)),
        Image("d", "r2/app", (base,)),
    )
    publish_estate(tmp_path, "night", replace(APP, images=images))
    found = answer(tmp_path, ReclaimPolicy(untagged=True))
    assert found.registries == {"r1": 1111, "r2": 1}
    assert found.repositories == {"r1/app": 110, "r1/lib": 1000, "r2/app": 1}
    assert found.images == {"a": 100, "b": 0, "c": 1000, "d": 1}


def test_a_digest_with_two_sizes_counts_with_the_larger_whichever_image_has_it(
    tmp_path: Path,
) -> None:
    sizes = Blob(digest(1), 10), Blob(digest(1), 30)
    images = (
        Image("a", "r1/app", sizes[:1], tags=("a",)),
        Image("b", "r1/app", sizes[1:]),
        Image("c", "r2/app", sizes[:1]),
    )
    publish_estate(tmp_path, "night", replace(APP, images=images))
    assert answer(tmp_path, ReclaimPolicy(keep_last=0)).registries == {"r1": 30, "r2": 10}
    assert answer(tmp_path, ReclaimPolicy(untagged=True)).registries == {"r1": 0, "r2": 10}


def test_a_pattern_matches_what_a_pattern_of_the_scope_does() -> None:
    letters = "ab*?[]!-^\\:().&|~A/\n #{}+$é"

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.text(letters, max_size=6), min_size=1, max_size=2), st.text(letters, max_size=4)
    )
    def check(globs: list[str], text: str) -> None:
        found = connection.execute(
            "SELECT regexp_full_match($text, $glob), regexp_full_match($other, $glob)",
            {"text": text, "other": globs[0], "glob": as_re2(globs)},
        ).fetchone()
        assert found == tuple(
            any(fnmatchcase(one, glob) for glob in globs) for one in (text, globs[0])
        )

    with connect({}) as connection:
        check()


# The command.


@pytest.fixture
def command(tmp_path: Path) -> Exporter:
    """Return the command in a folder of its own."""
    return Exporter(tmp_path)


def test_deleting_the_images_changes_what_is_stored_by_what_was_said(
    serve_cloud: ServeCloud, tmp_path: Path
) -> None:
    cloud = serve_cloud(replace(SMALL, untagged_share=0.5, repeat_share=0.3))
    exporter = Exporter(tmp_path, cloud)
    rules = tmp_path / "rules.json"
    rules.write_text(
        json.dumps(
            [
                {"description": "Old", "tag_regexp": "v.*", "retained_top": 2},
                {"untagged": True, "expire_period": "2400h"},
            ]
        )
    )
    output = {"output": {"max_shrink": None}}
    before = exporter.export(output, snapshot_id="before")
    for number, flags in enumerate(
        (("--untagged",), ("--keep-last", "1"), ("--policy", str(rules)))
    ):
        summary, plan = tmp_path / f"{number}.json", tmp_path / f"{number}.csv"
        line = ("reclaim", "--output", str(exporter.output), "--snapshot", "before")
        run = exporter.command(*line, *flags, "--ids", "--summary-json", str(summary))
        assert run.code == 0, run.stderr
        cloud.faults = Faults(hidden=frozenset(run.stdout.split()))
        after = exporter.export(output, snapshot_id=f"after-{number}")
        cloud.mend()
        told = json.loads(summary.read_text())
        freed = before.manifest["totals"]["stored_size"] - after.manifest["totals"]["stored_size"]
        gone = before.manifest["totals"]["image_count"] - after.manifest["totals"]["image_count"]
        assert (told["freed_size"], told["image_count"]) == (freed, gone)
        assert freed > 0
        assert exporter.command(*line, *flags, "--to", str(plan)).code == 0
        rows = list(csv.DictReader(plan.read_text().splitlines()))
        assert [row["image_id"] for row in rows] == run.stdout.split()


LINES: tuple[Format, ...] = ("ndjson",)
PARTIAL = replace(
    APP,
    images=(*APP.images, Image("x", "r2/app", (Blob(digest(1), MIB),)), Image("y", "r3/app")),
    coverage=(("images", "r2", "skipped"),),
)


def test_registries_that_are_not_listed_whole_are_named_and_left_out(command: Exporter) -> None:
    publish_estate(command.output, "night", PARTIAL, formats=LINES)
    run = command.command("reclaim", "--untagged", "-o", str(command.output), "--summary-json", "-")
    assert run.code == 3
    assert json.loads(run.stdout) == {
        "image_count": 2,
        "freed_size": MIB,
        "logical_size": 3 * MIB,
        "monthly_saving": None,
        "currency": None,
        "left_out": ["r2", "r3"],
    }
    assert "leaves out 2 registries (r2, r3)" in run.said
    assert len(run.said.splitlines()) == 1
    shown = command.command("reclaim", "--untagged", "-o", str(command.output))
    assert "2 registries are left out" in shown.stdout
    assert "name of r2 (r2): skipped" in shown.stdout
    # What is asked about alone is whole.
    assert command.command("reclaim", "--registry", "r1", "-o", str(command.output)).code == 0


def test_a_partial_snapshot_may_lack_registries_that_nobody_can_name(tmp_path: Path) -> None:
    denied = replace(APP, coverage=(("registries", "f1", "denied"),))
    publish_estate(tmp_path, "partial", denied)
    with open_snapshot(tmp_path, "partial") as snapshot:
        for policy, complete in (({"untagged": True}, False), ({"registries": ["r1"]}, True)):
            with reclaim(snapshot, ReclaimPolicy(**policy)) as plan:
                assert (plan.is_complete, plan.left_out) == (complete, ())


def test_a_person_sees_what_goes_what_it_saves_and_what_to_do(command: Exporter) -> None:
    publish_estate(command.output, "night", APP)
    config = command.write_config({"report": {"price_per_gb_month": 1024, "currency": "EUR"}})
    line = ("reclaim", "--untagged", "--config", str(config))
    shown = command.command(*line)
    assert (shown.code, shown.stderr) == (0, "")
    assert "deleting 2 images frees 1.00 MiB of 5.00 MiB stored (20%)" in shown.stdout
    assert "saves 1.00 EUR a month" in shown.stdout
    assert "This program deletes nothing" in shown.stdout
    told = command.command(*line, "--price", "2", "--currency", "USD", "--summary-json", "-")
    summary = json.loads(told.stdout)
    assert (summary["monthly_saving"], summary["currency"]) == (2 / 1024, "USD")
    rows = command.command(*line, "--rows", "repositories", "--format", "ndjson")
    assert json.loads(rows.stdout) == {
        "repository_name": "r1/app",
        "registry_id": "r1",
        "image_count": 2,
        "alone_size": MIB,
        "logical_size": 3 * MIB,
    }


GOOD = {"untagged": True, "expire_period": "48h"}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{", "is not JSON"),
        ("{}", "is an object, and a list of rules is needed"),
        ("[]", "has no rules"),
        ([GOOD, "x"], "rule 2: it is a text, and an object is needed"),
        ([{"description": "Tests", "tag_regexp": ".*"}], "rule 1 (Tests): it has no condition"),
        ([{"retained_top": 1}], "rule 1: it has no filter"),
        ([{"untagged": False, "retained_top": 1}], "rule 1: it has no filter"),
        ([GOOD | {"expirePeriod": "48h"}], "no key expirePeriod; did you mean expire_period"),
        ([GOOD | {"expire_period": "36h"}], "a multiple of 24 hours"),
        ([GOOD | {"expire_period": "0d"}], "a multiple of 24 hours"),
        ([GOOD | {"expire_period": "48"}], "a number with s, m, h or d"),
        ([GOOD | {"expire_period": 48}], "expire_period is 48, and a text is needed"),
        ([GOOD | {"retained_top": -1}], "retained_top is -1, and a whole number"),
        ([GOOD | {"retained_top": True}], "retained_top is true or false, and a whole number"),
        ([GOOD | {"untagged": "yes"}], "untagged is a text, and true or false is needed"),
        ([GOOD | {"tag_regexp": "v(?=1)"}], "rule 1: tag_regexp is no regular expression of RE2"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_rule_and_the_part(
    tmp_path: Path, policy: Any, said: str
) -> None:
    file = tmp_path / "rules.json"
    file.write_text(policy if isinstance(policy, str) else json.dumps(policy))
    with pytest.raises(errors.SettingsError) as refused:
        ReclaimPolicy(rules=read_rules(file))
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"The policy {file}")


UNTAGGED = ("--untagged",)


@pytest.mark.parametrize(
    ("flags", "harm", "code", "said"),
    [
        ((), "", 2, "Nothing says which images"),
        (("--policy", "rules.json"), "", 2, "rule 1: it has no filter"),
        (("--policy", "none.json"), "", 2, "cannot be read"),
        ((*UNTAGGED, "--price", "cheap"), "", 2, "a number is needed"),
        ((*UNTAGGED, "--price=-1"), "", 2, "--price"),
        (("--older-than", "soon"), "", 2, "--older-than soon"),
        (("--keep-last", "-1"), "", 2, "--keep-last -1"),
        (("--registry", "r9"), "", 2, "the nearest is r"),
        ((*UNTAGGED, "--ids", "--rows", "registries"), "", 2, "--ids"),
        ((*UNTAGGED, "--format", "csv", "--summary-json", "-"), "", 2, "both write to stdout"),
        ((*UNTAGGED, "--snapshot", "nights"), "", 1, "the nearest is night"),
        (UNTAGGED, "folder", 1, "no folder"),
        (UNTAGGED, "cut", 1, "blobs"),
        (UNTAGGED, "changed", 1, "SHA-256"),
        (UNTAGGED, "newer", 1, "2.0"),
    ],
)
def test_bad_input_gets_an_exit_code_and_one_sentence_and_writes_nothing(
    command: Exporter, app: Path, flags: tuple[str, ...], harm: str, code: int, said: str
) -> None:
    (command.folder / "rules.json").write_text('[{"retained_top": 1}]')
    output = command.output
    if harm != "folder":
        shutil.copytree(app, output)
    blobs = output / "parquet/blobs/snapshot_id=night/part-00000.parquet"
    match harm:
        case "cut":
            blobs.write_bytes(blobs.read_bytes()[:-1])
        case "changed":
            blobs.write_bytes(bytes([blobs.read_bytes()[0] ^ 1]) + blobs.read_bytes()[1:])
        case "newer":
            latest = output / "manifests" / "latest.json"
            manifest = json.loads(latest.read_text())
            latest.write_text(json.dumps(manifest | {"format_version": "2.0"}))
    before = sorted(output.rglob("*"))
    plan = () if "--rows" in flags or "--format" in flags else ("--to", "plan.csv")
    run = command.command("reclaim", "-o", str(output), *flags, *plan)
    assert (run.code, run.stdout) == (code, "")
    assert said in run.said
    assert len(run.said.splitlines()) == 1
    assert sorted(output.rglob("*")) == before
    assert not (command.folder / "plan.csv").exists()


def test_a_snapshot_in_a_bucket_is_read_as_one_in_a_folder(tmp_path: Path) -> None:
    with s3.S3() as service:
        key = Key(SecretStr("id"), SecretStr("secret"))
        access = Access(endpoint=service.url, path_style=True, key=key)
        publish_estate(open_destination("s3://bucket/inventory", access), "night", APP)
        with (
            open_snapshot("s3://bucket/inventory", access=access) as snapshot,
            reclaim(snapshot, [GOOD | {"expire_period": "24h"}]) as plan,
        ):
            assert (plan.image_count, plan.freed_size, plan.stored_size) == (0, 0, 5 * MIB)
