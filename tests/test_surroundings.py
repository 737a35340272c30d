"""A run in awkward surroundings: pictures that fail, output that lacks signs, folders that cannot be written."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from repro import pictures
from repro.data import declare
from repro.engine.batches import Batches
from repro.engine.loop import Loop
from repro.engine.outlook import outlook
from repro.engine.stage import Context
from repro.host import cpu_flags, packages
from repro.recipes.load import load
from tests.conftest import ROOT, Write, invoke, repro
from tests.test_recipes import GOOD

TOY = """\
paper: khosla2020-supcon
title: The simplex of τ, λ, √2 and 10⁻⁴
tier: cpu
stages:
  k3: {kind: simplex, loss: supcon, classes: 3, points: 2, dim: 2, steps: 3}
"""


def the_record(project: Path, recipe: str) -> dict[str, Any]:
    (path,) = project.glob(f"results/records/{recipe}/*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_picture_that_fails_costs_no_record(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ImportError("no backend `inline`")

    write_recipe("r", TOY)
    monkeypatch.setattr(pictures, "new_figure", broken)
    done = invoke("run", "r")
    record = the_record(project, "r")
    assert done.exit_code == 0 and record["metrics"] and record["artifacts"] == []
    assert record["stages"]["k3"]["undrawn"] == {"k3/loss.svg": "ImportError: no backend `inline`"}


def test_every_experiment_draws_what_may_fail() -> None:
    """Whatever takes a path to draw to is `optional`, and nobody imports a figure of his own."""
    for file in (ROOT / "repro" / "experiments").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "matplotlib" not in text, file
        drawing = re.findall(r"(.*)\ndef \w+\((?:[^)]*, )?path: Path", text)
        assert all(line.endswith("optional") for line in drawing), file


def test_signs_that_a_terminal_lacks_do_not_stop_a_run(write_recipe: Write, project: Path) -> None:
    write_recipe("r", TOY.replace("tier: cpu", "tier: cpu\nseeds: [0, 1]"))
    environment = {"PYTHONIOENCODING": "ascii", "MPLBACKEND": "module://no_such.backend"}
    done = repro("run", "r", cwd=project, **environment)
    assert done.returncode == 0, done.stderr
    assert len(list(project.glob("results/records/r/*.json"))) == 2
    assert len(list(project.glob("results/records/r/*/k3/loss.svg"))) == 2


def test_runs_and_records_can_go_elsewhere(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", TOY)
    monkeypatch.setenv("REPRO_RUNS", str(project / "scratch"))
    assert invoke("run", "r", "--results", "kept").exit_code == 0
    assert invoke("run", "r", "--smoke").exit_code == 0
    assert list(project.glob("scratch/runs/r/*")) and list(project.glob("scratch/smoke/records/r/*"))
    assert not (project / ".repro").exists() and not (project / "results").exists()


def test_a_folder_that_cannot_be_written_is_one_line(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", TOY)
    (project / "file").touch()
    monkeypatch.setenv("REPRO_RUNS", str(project / "file"))
    done = invoke("run", "r")
    assert re.search(r"cannot be written .*REPRO_RUNS names another folder", str(done.exception))


def test_a_run_is_counted_by_the_samples_that_it_processed(
    write_recipe: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """1,437 images in batches of at most 65,536: one step an epoch, and not 45 times the speed."""
    made: list[Loop] = []

    class Kept(Loop):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr("repro.engine.fit.Loop", Kept)
    write_recipe("r", GOOD.replace("size: 64", "size: 65536"))
    assert invoke("run", "r").exit_code == 0
    (loop,) = made
    assert loop.facts["samples_per_second"] == pytest.approx(1437 / loop.seconds, rel=1e-3)
    assert Batches(1437, 64, 2, True, 0).mean_size == 64
    assert Batches(1437, 64, 2, False, 0).mean_size * 23 == pytest.approx(1437)


def test_the_log_has_each_line_once_on_several_processes(tmp_path: Path) -> None:
    nothing: Any = None
    for main in (True, False):
        setup: Any = SimpleNamespace(main=main)
        Context(nothing, "s", 0, setup, tmp_path / "s", lambda split: nothing).log(loss=1.5)
    assert (tmp_path / "log.jsonl").read_text() == '{"loss": 1.5}\n'


def test_a_recorded_recipe_says_when_and_shows_its_numbers(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    assert invoke("run", "r").exit_code == 0
    again = invoke("run", "r").stdout
    assert re.search(r"already recorded, \d{4}-\d\d-\d\d ", again) and "knn.top1" in again


def test_before_a_long_run_it_is_said_how_long_and_what_else() -> None:
    gpu = outlook(load("supcon-cifar100"), 3, "cpu") or ""
    assert "for a GPU" in gpu and "--smoke" in gpu
    other = re.search(r"the CPU recipe `([\w-]+)`", gpu)
    assert other and load(other[1]).tier == "cpu"
    assert outlook(load("supcon-simplex-toy"), 3, "cpu") is None
    long = load("supcon-digits").model_copy(update={"minutes": 90.0})
    assert "About 4 h in all" in (outlook(long, 3, "cpu") or "")
    assert outlook(load("supcon-cifar100").model_copy(update={"minutes": None}), 3, "cuda") is None


def test_broken_files_do_not_stop_the_others(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = project / "sets"
    shutil.copytree(declare.SETS, sets)
    (sets / "digits.yaml").write_text("title: [", encoding="utf-8")
    monkeypatch.setattr(declare, "SETS", sets)
    declare._read.cache_clear()
    write_recipe("a", GOOD)
    write_recipe("b", "title: [")
    write_recipe("c", TOY)
    done = invoke("run", "--all")
    assert done.exit_code == 0 and list(project.glob("results/records/c/*.json"))
    assert "Skipped a: " in done.output and "digits.yaml" in done.output and "b.yaml" in done.output
    for arguments in (("doctor",), ("data", "list")):
        told = invoke(*arguments)
        assert told.exit_code == 0 and "digits.yaml" in told.output and "cifar10" in told.stdout


def test_the_host_is_known_without_torch() -> None:
    from importlib.metadata import version

    assert packages()["torch"] == version("torch")
    if Path("/proc/cpuinfo").exists() and os.uname().machine == "x86_64":
        assert "sse2" in cpu_flags()
