"""The command line as people meet it: speed, exit status, suggestions, one clear line for every mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Write, invoke, repro
from tests.test_recipes import GOOD

HEAVY = {"torch", "numpy", "scipy", "datasets", "accelerate", "pyarrow", "sklearn"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--json"),
        ("show", "supcon-cifar10"),
        ("check",),
        ("table",),
        ("table", "--json"),
        ("papers",),
        ("compare", "supcon-simplex-toy"),
        ("doctor",),
        ("data", "list"),
        ("--help",),
    ],
)
def test_the_quick_verbs_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom repro.cli import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
        f"print({HEAVY!r} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "set()"


def test_list_json_has_the_promised_keys() -> None:
    rows = json.loads(repro("list", "--json").stdout)
    keys = {"id", "paper", "tier", "family", "dataset", "methods", "stages", "minutes"}
    assert rows and all(set(row) == keys for row in rows)
    row = next(r for r in rows if r["id"] == "simclr-cifar10")
    assert row["paper"] == "khosla2020-supcon" and row["methods"] == ["simclr"]
    assert row["stages"] == ["pretrain", "probe"] and row["family"] == "supervised-contrastive"


def test_doctor_tells_of_every_recipe_whether_it_can_run() -> None:
    recipes = json.loads(invoke("doctor", "--json").stdout)["recipes"]
    stopped = {recipe: why for recipe, why in recipes.items() if why}
    assert recipes["supcon-simplex-toy"] is None and stopped["swav-imagenet"]
    text = invoke("doctor", "--all").stdout
    assert f"can run {len(recipes) - len(stopped)} of {len(recipes)} recipes" in text
    blocks = re.split(r"^ *\d+ cannot be run: ", text, flags=re.MULTILINE)[1:]
    told = {
        recipe.strip(): why
        for why, names in (b.split("\n", 1) for b in blocks)
        for recipe in names.split(",")
    }
    assert told == stopped
    short = invoke("doctor").stdout
    assert short.count("\n") <= 30 and "licence" not in short and "swav-imagenet" not in short


def test_table_json_has_the_promised_keys() -> None:
    rows = json.loads(repro("table", "--json").stdout)
    keys = {
        "recipe", "paper", "tier", "metric", "expected", "unit", "delta", "relation", "evidence", "kind",
        "of", "role", "by", "n", "mean", "sd", "low", "high", "verdict", "verified", "reproduced",
    }  # fmt: skip
    verdicts = {"matches", "differs", "better", "undecided", "not comparable", "stale?", "stale", "missing"}
    assert rows and all(set(row) == keys and row["verdict"] in verdicts for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "supcon-cifar10O"), "did you mean `supcon-cifar10"),
        (("show", "supcon-cifr100"), "did you mean `supcon-cifar100`"),
        (("lst",), "did you mean `list`"),
        (("run",), "Name the recipes"),
        (("run", "supcon-digits", "--all"), "Name the recipes"),
        (("run", "supcon-digits", "--seeds", "a,b"), "whole numbers"),
        (("run", "supcon-digits", "--seed", "1", "--seeds", "2"), "either --seed or --seeds"),
        (("run", "supcon-digits", "--budget", "soon"), "not a duration"),
        (("run", "supcon-digits", "-o", "stages.pretrain.epoch=3"), "did you mean `epochs`"),
        (("run", "supcon-digits", "--device", "tpu"), "tpu"),
        (("data", "get", "cifar1O"), "did you mean `cifar10"),
        (("papers", "show", "khosla2020-supcn"), "did you mean `khosla2020-supcon`"),
    ],
)
def test_mistakes_get_one_line_and_status_2(arguments: tuple[str, ...], words: str) -> None:
    done = repro(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1


def test_a_recipe_without_its_data_says_how_to_get_it(tmp_path: Path) -> None:
    done = repro(
        "run", "supcon-cifar100", REPRO_DATA=str(tmp_path), REPRO_CACHE=str(tmp_path), HF_HOME=str(tmp_path)
    )
    assert done.returncode == 2
    assert "repro data get cifar100" in done.stderr and "Traceback" not in done.stderr


def test_check_tells_every_problem_of_every_file(write_recipe: Write, project: Path) -> None:
    write_recipe("one", GOOD.replace("temperature", "temprature"))
    write_recipe("two", GOOD.replace("khosla2020-supcon", "khosla2020-supcn").replace("digits\n", "digts\n"))
    write_recipe("three", "")
    done = repro("check", "one", "two", "three", cwd=project)
    assert done.returncode == 2
    for words in (
        "one.yaml:8: stages.pretrain.method.temprature",
        "two.yaml:1: paper: no paper `khosla2020-supcn`; did you mean `khosla2020-supcon`?",
        "two.yaml:4: dataset: no data set `digts`; did you mean `digits`?",
        "three.yaml: the file is empty",
    ):
        assert words in done.stderr, done.stderr


def test_the_schema_knows_every_component() -> None:
    schema = json.loads(repro("check", "--schema").stdout)
    for name in ("method-supcon", "stage-train", "stage-simplex", "backbone-resnet50", "head-mlp"):
        assert name in schema["$defs"]
    assert "$defs" not in json.dumps(schema["$defs"]).replace("#/$defs/", "")


def test_new_writes_a_recipe_that_check_accepts(project: Path) -> None:
    for arguments in (
        ("my-method-cifar10", "--paper", "khosla2020-supcon"),
        ("my-method-digits", "--paper", "chen2020-simclr"),
    ):
        done = repro("new", *arguments, cwd=project)
        assert done.returncode == 0, done.stderr
        checked = repro("check", arguments[0], cwd=project)
        assert checked.returncode == 0, checked.stderr
    assert repro("new", "my-child", "--extends", "my-method-cifar10", cwd=project).returncode == 0
    assert repro("check", "my-child", cwd=project).returncode == 0
    again = repro("new", "my-child", "--extends", "my-method-cifar10", cwd=project)
    assert again.returncode == 2 and "exists" in again.stderr


def test_strict_turns_a_verdict_into_a_status(write_recipe: Write) -> None:
    write_recipe(
        "r", GOOD + "expected:\n- {metric: knn.top1, at_least: 101, source: {where: x, evidence: memory}}\n"
    )
    assert invoke("run", "r", "--seeds", "0,1").exit_code == 0
    done = invoke("run", "r", "--seeds", "0,1", "--strict")
    assert done.exit_code == 1 and "already recorded" in done.stdout


def test_an_override_is_not_comparable_and_a_harmless_one_is(write_recipe: Write) -> None:
    claim = "expected:\n- {metric: knn.top1, value: 90, delta: 90, source: {where: x, evidence: memory}}\n"
    write_recipe("r", GOOD + claim)
    done = invoke("run", "r", "-o", "stages.pretrain.epochs=2")
    assert done.exit_code == 0 and "not comparable" in done.stdout
    done = invoke("run", "r", "-o", "minutes=5")
    assert done.exit_code == 0 and "not comparable" not in done.stdout


def test_records_go_where_they_are_wanted(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    assert invoke("run", "r", "--results", "elsewhere").exit_code == 0
    assert list(project.glob("elsewhere/records/r/*.json")) and not (project / "results").exists()


def test_a_failing_recipe_does_not_stop_the_others(write_recipe: Write, project: Path) -> None:
    growing = GOOD.replace("lr: 1e-1", "lr: 1e6, weight_decay: 1e6").replace("epochs: 1", "epochs: 5")
    write_recipe("a", growing)
    write_recipe("b", GOOD)
    done = invoke("run", "a", "b")
    assert done.exit_code == 1
    assert "Failed: a: " in done.stdout and list(project.glob("results/records/b/*.json"))
    assert not list(project.glob("results/records/a/*.json"))
