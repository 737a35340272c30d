"""Bad input of every kind is told in one line, before anything runs, and stops nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro import files, paths
from repro.data import declare
from repro.data.available import available
from repro.errors import UserError
from repro.recipes.load import every, load
from repro.recipes.problems import InvalidFile
from tests.conftest import ROOT, Write, invoke, repro
from tests.test_papers import WHOLE
from tests.test_recipes import GOOD, complaints

EXPECTED = "expected:\n- {{metric: {}, {}, source: {{where: x, evidence: memory}}}}\n"


def told(recipe_id: str = "r", *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load(recipe_id, overrides)
    assert "\n" not in str(caught.value), caught.value
    return str(caught.value)


# ---- identity


@pytest.mark.parametrize(
    "override",
    ["id=other", "paper=chen2020-simclr", "family=x", "tier=gpu", "title=x", "claim=own", "expected=[]",
     "deviations=[]", "extends=other", "notes=x"],
)  # fmt: skip
def test_what_a_run_is_kept_under_cannot_be_overridden(write_recipe: Write, override: str) -> None:
    write_recipe("r", GOOD)
    key = override.partition("=")[0]
    assert f"`{key}` cannot be overridden; those that can: stages, dataset" in told("r", override)


@pytest.mark.parametrize("line", ["id: other\n", "family: other\n"])
def test_identity_comes_from_the_file(write_recipe: Write, line: str) -> None:
    write_recipe("r", line + GOOD)
    assert "r.yaml:1: " in told() and "comes from the file's place" in told()
    write_recipe("child", "extends: r\ntitle: child\n")
    assert "r.yaml:1: " in told("child")


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a.b", "A", "a b", "", "x" * 101])
def test_stage_names_make_folders_within_the_run(write_recipe: Write, name: str) -> None:
    write_recipe("r", GOOD.replace("  knn:", f'  "{name}":'))
    assert "not usable as a stage's name" in told() or "a key of 101 characters" in told()


@pytest.mark.parametrize("name", ["Big", "a_b", "a--b", "-a", "a.b", "x" * 101])
def test_recipe_names_are_plain(write_recipe: Write, name: str) -> None:
    write_recipe(name, GOOD)
    write_recipe("good", GOOD)
    assert "not usable as a recipe's name" in told(name)
    recipes, wrong = every()
    assert [r.id for r in recipes] == ["good"] and name in str(wrong[0])


# ---- references, metrics, splits


@pytest.mark.parametrize(
    ("stage", "line", "words"),
    [
        ("x: {kind: knn, of: nowhere}", 15, "stages.x.of: no stage is called `nowhere`; take `pretrain`"),
        ("x: {kind: knn, of: x}", 15, "stages.x.of: stage `x` does not come before `x`; take `pretrain`"),
        ("x: {kind: knn, of: knn}", 15, "stage `knn` (`kind: knn`) leaves no network; take `pretrain`"),
        ("x: {kind: logistic_probe, C: 1, of: knn}", 15, "stages.x.of: stage `knn`"),
        ("x: {kind: linear_probe, of: knn, epochs: 1, batch: {size: 2}, optimizer: {lr: 1}}", 15, "no network"),
        ("x: {kind: fine_tune, of: knn, epochs: 1, batch: {size: 2}, optimizer: {lr: 1}}", 15, "leaves no network"),
        ("x: {kind: evaluate, of: pretrain}", 15, "leaves no classifier; no earlier stage leaves a classifier"),
        ("x: {kind: radioactive_features, of: knn, percent: [1]}", 15, "leaves no network"),
        ("x: {kind: radioactive_marks, of: knn, percent: 1, views: {}, optimizer: {lr: 1}}", 15, "leaves no network"),
        ("x: {kind: radioactive_detect, of: pretrain, marks: nowhere}", 15, "stages.x.marks: no stage is called"),
        ("x: {kind: mutual_information, of: knn, dim: 2, rho: 0.5, estimators: [nwj]}", 15, "leaves no critics"),
        ("x: {kind: evaluate, of: pretrain, split: nope}", 15, "x.split: data set `digits` has no split `nope`"),
    ],
)  # fmt: skip
def test_a_stage_builds_on_one_that_leaves_what_it_needs(
    write_recipe: Write, stage: str, line: int, words: str
) -> None:
    write_recipe("r", GOOD + f"  {stage}\n")
    found = [c for c in complaints() if words in c]
    assert found and found[0].startswith(f"r.yaml:{line}: "), complaints()


def test_fine_tuning_leaves_nothing_to_probe_and_training_on_marks_needs_marks(write_recipe: Write) -> None:
    tune = "  tune: {kind: fine_tune, of: pretrain, epochs: 1, batch: {size: 2}, optimizer: {lr: 1}}\n"
    write_recipe("r", GOOD + tune + "  x: {kind: knn, of: tune}\n")
    assert "stage `tune` (`kind: fine_tune`) leaves no network; take `pretrain`" in told()
    write_recipe("r", GOOD.replace("kind: train", "kind: radioactive_train\n    marks: knn"))
    assert "stages.pretrain.marks: stage `knn` does not come before `pretrain`" in told()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "    epochs: 1\n",
            "    epochs: 1\n    split: nope\n",
            "has no split `nope`; it has `train`, `test`",
        ),
        ("    epochs: 1\n", "    epochs: 1\n    split: tset\n", "did you mean `test`?"),
        ("dataset: digits\n", "", "stages.pretrain.kind: needs data, and the recipe names no `dataset`"),
        (
            "dataset: digits",
            "dataset: digts",
            "r.yaml:4: dataset: no data set `digts`; did you mean `digits`?",
        ),
        ("dataset: digits", "dataset: ../digits", "did you mean `digits`?"),
    ],
)
def test_data_is_known_before_anything_runs(write_recipe: Write, old: str, new: str, words: str) -> None:
    write_recipe("r", GOOD.replace(old, new, 1))
    assert any(words in complaint for complaint in complaints()), complaints()
    done = invoke("run", "r", "--smoke")
    assert isinstance(done.exception, InvalidFile)


def test_a_stage_that_needs_labels_reads_no_split_without(write_recipe: Write) -> None:
    """STL-10 has a split without labels, for methods that need none."""
    unlabelled = GOOD.replace("dataset: digits", "dataset: stl10")
    unlabelled = unlabelled.replace("    epochs: 1\n", "    epochs: 1\n    split: unlabeled\n")
    words = "split `unlabeled` of data set `stl10` has no labels, which the stage needs; with labels it has `train`"
    write_recipe("r", unlabelled)
    assert "method: {name: supcon" in GOOD and words in told() and "stages.pretrain.split: " in told()
    write_recipe("r", unlabelled.replace("method: {name: supcon", "method: {name: simclr"))
    load("r")
    online = unlabelled.replace("    epochs: 1\n", "    epochs: 1\n    online: {lr: 1}\n")
    write_recipe("r", online.replace("method: {name: supcon", "method: {name: simclr"))
    assert words in told()


@pytest.mark.parametrize(
    ("metric", "relation", "words"),
    [
        ("knn.top2", "at_least: 1", "metric: stage `knn` gives no metric `top2`; did you mean `top5`?"),
        ("knn.loss", "at_least: 1", "gives no metric `loss`; it gives `top1`, `top5`"),
        ("probe.top1", "at_least: 1", "no stage is called `probe` (there are `pretrain`, `knn`)"),
        (
            "knn.top1",
            "greater_than: pretrain.online_top1",
            "expected.0.greater_than: stage `pretrain` gives no",
        ),
    ],
)
def test_an_expected_metric_is_one_that_the_stage_gives(
    write_recipe: Write, metric: str, relation: str, words: str
) -> None:
    write_recipe("r", GOOD + EXPECTED.format(metric, relation))
    assert "r.yaml:16: " in told() and words in told()


def test_a_metric_that_depends_on_options_is_known_with_them(write_recipe: Write) -> None:
    online = GOOD.replace("    epochs: 1\n", "    epochs: 1\n    online: {lr: 0.1}\n")
    write_recipe("r", online + EXPECTED.format("pretrain.online_top1", "at_least: 1"))
    assert load("r")


# ---- YAML


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: &a [*a]\n", "anchors and aliases"),
        ("x: &a {b: *a}\n", "anchors and aliases"),
        ("a: &a [1]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for n, p in zip("bcdefghij", "abcdefghi", strict=True)),
         "anchors and aliases"),
        ("x: !!int abc\n", "tag"),
        ("x: !!python/object/apply:os.system [ls]\n", "tag"),
        ("x: !mine 1\n", "tag"),
        ("? !!str a\n: 1\n", "a key must be a plain word"),
        ("x: .inf\n", "not a finite number"),
        ("x: -.INF\n", "not a finite number"),
        ("x: .nan\n", "not a finite number"),
        ("x: 1e400\n", "too large"),
        (f"x: {'9' * 5000}\n", "too large for an integer"),
        (f"x: {2**63}\n", "too large for an integer"),
        ("x: 010\n", "quote it"),
        ("x: 1:30\n", "quote it"),
        ("x: 0x1F\n", "quote it"),
        ("x: 1_000\n", "quote it"),
        ("".join(f"k{i}: 1\n" for i in range(10_000)), "more than 1000 keys"),
        ("x: [" + "1, " * 10_000 + "]\n", "more than 1000 entries"),
        ("[" * 50 + "]" * 50 + "\n", "20 levels deep"),
        ("x: " + "[" * 20_000 + "\n", "not valid YAML"),
        (f"{'k' * 300}: 1\n", "a key of 300 characters"),
        ('x: "\\0"\n', "control character"),
        ('x: "\\e[31m"\n', "control character"),
        ("a: 1\n---\nb: 2\n", "second document"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_yaml_is_bounded_and_plain(write_recipe: Write, text: str, words: str) -> None:
    write_recipe("r", text)
    began = time.perf_counter()
    assert words in told() and "r.yaml:" in told()
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("text", ["1e400", ".inf", "&a 1", "!!int x", "[" * 50, "9" * 5000, "\udcff"])
def test_values_of_overrides_are_read_in_the_same_way(write_recipe: Write, text: str) -> None:
    write_recipe("r", GOOD)
    assert "the value is not valid YAML: " in told("r", f"stages.pretrain.optimizer.lr={text}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr: 1e-1", "lr: true"),
        ("lr: 1e-1", 'lr: "0.1"'),
        ("epochs: 1", "epochs: true"),
        ("epochs: 1", 'epochs: "1"'),
        ("epochs: 1", "epochs: 1.0"),
        ("hidden: [8]", "hidden: [true]"),
        ("size: 64", "size: false"),
        ("size: 64", "size: 64, drop_last: 1"),
        ("size: 64", "size: 64, drop_last: no"),
        ("lr: 1e-1", "lr: 1e-1, nesterov: 'true'"),
        ("    epochs: 1\n", "    epochs: 1\n    schedule: {per: epoch, count_from: true}\n"),
    ],
)
def test_numbers_are_not_made_of_anything_else(write_recipe: Write, old: str, new: str) -> None:
    write_recipe("r", GOOD.replace(old, new, 1))
    assert any(word in complaints()[0] for word in ("valid integer", "valid number", "valid boolean")), (
        complaints()
    )


def test_a_thousand_problems_are_told_quickly(write_recipe: Write) -> None:
    stages = "".join(f"  s{i}: {{kind: knm, of: nowhere}}\n" for i in range(900))
    write_recipe("r", GOOD + stages)
    began = time.perf_counter()
    assert complaints()[-1].endswith("and 850 more problems")
    assert time.perf_counter() - began < 20


def test_a_missing_title_is_not_the_parents(write_recipe: Write) -> None:
    write_recipe("parent", GOOD)
    write_recipe("r", "# a child\nextends: parent\n")
    assert complaints() == ["r.yaml:1: title: is missing"]


# ---- one broken file does not stop the others


@pytest.fixture
def spoilt(write_recipe: Write, project: Path) -> Path:
    """A project with a good recipe, broken ones of several kinds, and what editors leave behind."""
    write_recipe("good", GOOD)
    write_recipe("broken", "a: [1\n")
    write_recipe("invalid", GOOD.replace("epochs: 1", "epochs: x"))
    write_recipe("tagged", "a: !!int abc\n")
    write_recipe("twice", GOOD)
    (project / "recipes" / "more").mkdir()
    shutil.copy(project / "recipes" / "tests" / "twice.yaml", project / "recipes" / "more")
    for name in ("._good.yaml", ".hidden.yaml", "good.yaml~", "#good.yaml#"):
        (project / "recipes" / "tests" / name).write_text("\0")
    (project / "recipes" / ".ipynb_checkpoints").mkdir()
    (project / "recipes" / ".ipynb_checkpoints" / "good-checkpoint.yaml").write_text(GOOD)
    (project / "recipes" / "tests" / ".#good.yaml").symlink_to("nowhere")
    (project / "recipes" / "tests" / "gone.yaml").symlink_to("nowhere")
    (project / "papers").unlink()
    (project / "papers").mkdir()
    (project / "papers" / "khosla2020-supcon.yaml").write_text(
        WHOLE.replace("doe2020-thing", "khosla2020-supcon")
    )
    (project / "papers" / "doe2020-thing.yaml").write_text("slug: [\n")
    (project / "papers" / "._doe2020-thing.yaml").write_text("\0")
    return project


@pytest.mark.parametrize("verb", [("list",), ("list", "--json"), ("papers",), ("papers", "coverage")])
def test_listings_skip_what_is_broken_and_say_so(spoilt: Path, verb: tuple[str, ...]) -> None:
    done = repro(*verb, cwd=spoilt)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("Skipped: ")]
    assert any("broken.yaml" in line for line in lines) and any("twice.yaml" in line for line in lines)
    assert "Traceback" not in done.stderr and "._" not in done.stderr and "gone" not in done.stderr
    assert "good" in done.stdout or verb[0] == "papers"


def test_every_recipe_is_read_or_told_of(spoilt: Path) -> None:
    recipes, wrong = every()
    assert [recipe.id for recipe in recipes] == ["good"]
    assert len(wrong) == 4 and sum("twice.yaml" in str(error) for error in wrong) == 1


def test_check_covers_recipes_papers_and_data_sets(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = spoilt / "sets"
    shutil.copytree(declare.SETS, sets)
    (sets / "broken.yaml").write_text("a: [1\n")
    (sets / "._digits.yaml").write_text("\0")
    (sets / "unfit.yaml").write_text((sets / "digits.yaml").read_text().replace("shape:", "shpae:"))
    monkeypatch.setattr(declare, "SETS", sets)
    count = len([path for path in sets.glob("*.yaml") if not path.name.startswith(".")])
    done = invoke("check")
    assert done.exit_code == 2 and f"4 recipes, 2 papers, {count} data sets" in done.stdout
    for name in (
        "broken.yaml:",
        "invalid.yaml:11",
        "tagged.yaml:1",
        "twice.yaml",
        "doe2020-thing.yaml",
        "unfit.yaml",
    ):
        assert name in done.stderr, done.stderr
    assert "._" not in done.stderr
    listed = invoke("data", "list")
    assert listed.exit_code == 0 and "digits" in listed.stdout and "Skipped: " in listed.stderr


# ---- names and places that the system refuses


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "x" * 300, "--extends", "good"),
        ("new", "", "--extends", "good"),
        ("new", "a", "--paper", ""),
        ("new", "a", "--extends", "good", "--family", ""),
        ("new", "a", "--extends", "good", "--family", "../evil"),
        ("show", "x" * 300),
        ("show", ""),
        ("run", "x" * 300),
        ("run", "good", "-o", "stages." + "x" * 300 + ".k=1"),
        ("run", "good", "-o", ".".join(["a"] * 5000) + "=1"),
        ("papers", "show", "x" * 300),
        ("data", "get", "x" * 300),
        ("show", "a\udcffb"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30].encode("ascii", "replace").decode(),
)
def test_names_that_cannot_be(write_recipe: Write, project: Path, arguments: tuple[str, ...]) -> None:
    write_recipe("good", GOOD)
    before = sorted(project.rglob("*"))
    done = repro(*arguments, cwd=project)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(line) < 500
    assert sorted(p for p in project.rglob("*") if ".repro" not in p.parts) == before


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no /dev/full here")
def test_a_full_disk_behind_the_output_is_one_line() -> None:
    command = f"{sys.executable} -m repro list > /dev/full"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.strip().splitlines() == ["Error: No space left on device."]


def test_a_deleted_working_directory_is_one_line(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "sys.argv[1:] = ['list']\nfrom repro.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("Error: The working directory is gone")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("variable", ["REPRO_DATA", "REPRO_CACHE", "HF_DATASETS_CACHE"])
def test_a_home_of_nobody_is_one_line(variable: str) -> None:
    done = repro("data", "list", **{variable: "~nobody-of-this-name/x"})
    assert done.returncode == 2 and done.stderr.startswith(
        "Error: `~nobody-of-this-name/x`: there is no user"
    )


def test_runs_in_a_home_of_nobody_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_RUNS", "~nobody-of-this-name/x")
    with pytest.raises(UserError, match="there is no user"):
        paths.runs_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(write_recipe: Write, project: Path) -> None:
    write_recipe("good", GOOD)
    (project / "recipes" / "tests").chmod(0o500)
    done = repro("new", "a", "--extends", "good", cwd=project)
    assert done.returncode == 2 and done.stderr.startswith("Error: ") and "a.yaml" in done.stderr


def test_a_file_in_the_place_of_a_folder_is_one_line(write_recipe: Write, project: Path) -> None:
    write_recipe("good", GOOD)
    (project / "recipes" / "taken").write_text("")
    done = repro("new", "a", "--extends", "good", "--family", "taken", cwd=project)
    assert (
        done.returncode == 2 and "a.yaml cannot be written" in done.stderr and "Traceback" not in done.stderr
    )


# ---- advice


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("No recipe `zzz`; `repro list` shows all", ("list",)),
        ("No paper `zzz`; `repro papers` lists all", ("papers",)),
        ("No data set is called `zzz`; `repro data list` shows all", ("data", "list")),
        ("no paper `zzz`; `repro new` writes a paper file", ("new", "a", "--paper", "zzz")),
    ],
)
def test_the_advice_can_be_followed(
    write_recipe: Write, project: Path, text: str, command: tuple[str, ...]
) -> None:
    (project / "papers").unlink()
    (project / "papers").mkdir()
    write_recipe("r", GOOD.replace("khosla2020-supcon", "zzz"))
    asked = [("show", "zzz"), ("papers", "show", "zzz"), ("data", "get", "zzz"), ("check", "r")]
    assert any(text in repro(*question, cwd=project).stderr for question in asked)
    assert repro(*command, cwd=project).returncode == 0
    if command[0] == "new":
        assert "no paper" not in repro("check", "r", cwd=project).stderr


# ---- what a kill leaves


def test_temporary_files_of_the_dead_are_swept(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom repro.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.json")], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert [path.suffix for path in tmp_path.iterdir()] == [".tmp"]
    alive = tmp_path / f"b.json.{os.getppid()}@{files.node()}.tmp"
    elsewhere, forgotten = tmp_path / "c.json.1@elsewhere.tmp", tmp_path / "d.json.1@elsewhere.tmp"
    foreign = tmp_path / "mine.tmp"
    for path in (alive, elsewhere, forgotten, foreign):
        path.write_text("x")
    os.utime(forgotten, (0, 0))
    files.write_text(tmp_path / "a.json", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.json", alive, elsewhere, foreign])


# ---- data


def test_a_file_of_data_that_is_not_there_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repro.data.file import File

    columns = declare.declaration("cifar10").columns
    assert columns is not None
    with pytest.raises(UserError, match=r"train.parquet: the file is not there any more; delete it\.$"):
        len(File(tmp_path / "train.parquet", columns, "delete it"))
    (tmp_path / "cifar10").mkdir()
    for split in ("train", "test"):
        (tmp_path / "cifar10" / f"{split}-0.parquet").symlink_to("nowhere")
    monkeypatch.setenv("REPRO_DATA", str(tmp_path))
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hub"))
    assert available("cifar10") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch.size", "999999999999999999"), ("optimizer.lr", "1e300"), ("views.count", "1000000")],
)
def test_a_size_that_no_machine_has_is_refused(
    write_recipe: Write, project: Path, key: str, value: str
) -> None:
    write_recipe("good", GOOD)
    done = repro("run", "good", "--plan", "-o", f"stages.pretrain.{key}={value}", cwd=project)
    assert done.returncode == 2 and "less than or equal to" in done.stderr and key in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("    data: {set: mnits}\n", r"stages.pretrain.data: no data set `mnits`; did you mean `mnist`"),
        (
            "    data: {split: tset}\n",
            r"stages.pretrain.data.split: data set `digits` has no split `tset`.*`test`",
        ),
        ("    data: {set: mnist, split: extra}\n", r"data set `mnist` has no split `extra`"),
        ("    streams: {more: {set: nothing}}\n", r"stages.pretrain.streams.more: no data set `nothing`"),
        ("    streams: {more: {split: nope}}\n", r"streams.more: data set `digits` has no split `nope`"),
        ("    start: elsewhere\n", r"stages.pretrain.start: no stage is called `elsewhere`"),
        (
            "    networks: {teacher: {of: pretrain}}\n",
            r"networks.teacher.of: stage `pretrain` does not come before",
        ),
        (
            "    data: {sampler: {name: episode}}\n",
            r"no sampler is called `episode`; did you mean `episodes`",
        ),
    ],
)
def test_data_and_stages_that_are_not_there_are_told_before_a_run(
    write_recipe: Write, changes: str, words: str
) -> None:
    write_recipe("r", GOOD.replace("    epochs: 1\n", "    epochs: 1\n" + changes))
    with pytest.raises(InvalidFile, match=words):
        load("r")
