"""Rounds that hand on networks, rows and labels run from end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from repro.data.load import load as load_data
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.errors import UserError
from repro.recipes.load import load
from tests.conftest import Write
from tests.test_rounds import HEAD

NET = """\
method: {name: cross_entropy}, network: {backbone: mlp, hidden: [32], head: {kind: linear}},
        views: {policy: digits, count: 1}, epochs: 8, batch: {size: 32}, optimizer: {lr: 1e-1, momentum: 0.9}"""
CONTINUAL = f"""{HEAD}\
  tasks:
    kind: rounds
    count: 3
    body:
      train:
        {{kind: train, {NET}, start: $previous.train, data: {{slice: {{classes: {{of: 5, task: $round}}}}}}}}
      memory:
        {{kind: exemplars, of: $this.train, keep: $previous.memory, per_class: 5,
        data: {{slice: {{classes: {{of: 5, task: $round}}}}}}}}
      test: {{kind: evaluate, of: $this.train, data: {{slice: {{classes: {{of: 5, task: $seen}}}}}}}}
  result: {{kind: continual, of: tasks*_test*.top1}}
"""
SELF = f"""{HEAD}\
  steps:
    kind: rounds
    count: 2
    body:
      pool: {{kind: acquire, of: $previous.train, also: $previous.pool, by: margin, count: 30}}
      train: {{kind: train, {NET}, data: {{slice: {{selected: $this.pool}}}}}}
      guess:
        {{kind: pseudo_labels, of: $this.train, per_class: 20,
        data: {{slice: {{selected: {{of: $this.pool, without: true}}}}}}}}
      again: {{kind: train, {NET}, data: {{slice: {{relabelled: $this.guess}}}}}}
      test: {{kind: evaluate, of: $this.again}}
  result: {{kind: summary, of: [steps*_test.top1]}}
"""


@pytest.fixture
def run(write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path))

    def execute(text: str, smoke: bool = False):  # type: ignore[no-untyped-def]
        write_recipe("r", text)
        whole = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"), smoke=smoke)
        return whole.execute().metrics, whole.folder

    return execute


def index(folder: Path, stage: str, what: str = "index") -> torch.Tensor:
    return load_file(folder / stage / f"{what}.safetensors")["index"]


def test_one_task_after_the_other_is_learnt_and_forgotten(run) -> None:  # type: ignore[no-untyped-def]
    metrics, folder = run(CONTINUAL)
    a = {(t, i): metrics[f"tasks{t}_test{i}.top1"] for t in range(3) for i in range(t + 1)}
    assert all(a[t, t] > 80 for t in range(3))
    assert metrics["result.forgetting"] == pytest.approx(
        (max(a[0, 0], a[1, 0]) - a[2, 0] + a[1, 1] - a[2, 1]) / 2
    )
    assert metrics["result.average"] == pytest.approx((a[2, 0] + a[2, 1] + a[2, 2]) / 3)
    labels = load_data("digits", "train").labels
    for t in range(3):
        memory = index(folder, f"tasks{t}_memory")
        assert labels[memory].tolist() == [c for c in range(2 * t + 2) for _ in range(5)]
        assert torch.equal(memory, index(folder, "tasks2_memory")[: len(memory)])


def test_renumbered_classes_are_not_taken_for_kept_ones(run) -> None:  # type: ignore[no-untyped-def]
    before, _, after = CONTINUAL.partition("keep: $previous.memory, per_class: 5,")
    renumbered = after.replace("task: $round}", "task: $round, renumber: true}", 1)
    with pytest.raises(UserError, match=r"tasks1_memory.*other labels than the split"):
        run(f"{before}keep: $previous.memory, per_class: 5,{renumbered}", smoke=True)


def test_labels_are_acquired_and_guessed(run) -> None:  # type: ignore[no-untyped-def]
    metrics, folder = run(SELF)
    assert [metrics[f"steps{n}_pool.rows"] for n in range(2)] == [30, 60]
    for n in range(2):
        pool, guessed = index(folder, f"steps{n}_pool"), index(folder, f"steps{n}_guess", "labels")
        assert not torch.isin(guessed, pool).any() and len(guessed) <= 200
    assert metrics["result.last"] == metrics["steps1_test.top1"]


@pytest.mark.parametrize("text", [CONTINUAL, SELF])
def test_they_run_small(run, text: str) -> None:  # type: ignore[no-untyped-def]
    metrics, _ = run(text, smoke=True)
    assert not any(name.startswith(("tasks2", "steps2")) for name in metrics)
