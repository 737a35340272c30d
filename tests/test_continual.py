"""Relation distillation against a slow transcription, and what goes from task to task."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from repro.components import load as component
from repro.components import options_for
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.keys import generator
from repro.measures.accuracy import Accuracy
from repro.networks.build import build, composite
from repro.recipes.load import load
from tests.conftest import Write

NETWORK: dict[str, Any] = {"backbone": "mlp", "hidden": [5], "norm": True, "head": {"kind": "cosine"}}
SHAPE, CLASSES = (1, 3, 3), 5  # of two tasks: 0, 1, 2 and 3, 4


def made(task: int, **options: Any) -> Any:
    torch.manual_seed(task)
    spec: Any = options_for(("networks",), "backbone", NETWORK)
    further = {"previous": composite(build(spec, SHAPE, CLASSES))} if task else {}
    given = {"name": "prd", "projection": {"kind": "linear", "out": 3}, "tasks": 2, "task": task, **options}
    kind = component(("methods",), "prd")
    return kind(options_for(("methods",), "name", given), *build(spec, SHAPE, CLASSES), **further).double()


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def transcription(z: Tensor, p: Tensor, label: list[int], old: Tensor | None, w: Tensor) -> float:
    """The code's three terms with τ 0.5 (and 0.25 as the base), T 2, weights 2 and 4, sample by sample."""
    rows = [(i, v) for i in range(len(label)) for v in range(2)]
    contrast = pull = distilled = 0.0
    for i, v in rows:
        others = [(j, u) for j, u in rows if (j, u) != (i, v)]
        total = sum(math.exp(float(p[i, v] @ p[j, u]) / 0.5) for j, u in others)
        positives = [(j, u) for j, u in others if label[j] == label[i]]
        logs = [float(p[i, v] @ p[j, u]) / 0.5 - math.log(total) for j, u in positives]
        contrast -= 2 * sum(logs) / len(logs) / len(rows)
        own = w[label[i]]
        pull += (1 - float(own @ z[i, v] / own.norm() / z[i, v].norm())) / len(rows)
        if old is not None:
            new = [float(z[i, v] @ w[c] / w[c].norm()) / 2 for c in range(3)]
            before = [float(old[i, v, c]) / 2 for c in range(3)]
            q = [math.exp(b) / sum(map(math.exp, before)) for b in before]
            logp = [a - math.log(sum(map(math.exp, new))) for a in new]
            distilled -= sum(a * b for a, b in zip(q, logp, strict=True)) / len(rows)
    return contrast + 2 * pull + 4 * distilled


@pytest.mark.parametrize("task", [0, 1])
def test_prd_is_its_formula(task: int) -> None:
    method = made(task, temperature=0.5, base_temperature=0.25, distill_temperature=2.0)
    z, p = noise(4, 2, 5).requires_grad_(), torch.nn.functional.normalize(noise(4, 2, 3, seed=2), dim=-1)
    old = noise(4, 2, CLASSES, seed=3) if task else None
    label = [3, 4, 4, 3] if task else [0, 1, 2, 1]
    found = method.loss(z, p, torch.tensor(label), old)["loss"]
    w = method.head.prototypes.weight.detach()
    assert found.item() == pytest.approx(transcription(z.detach(), p, label, old, w))
    (gradient,) = torch.autograd.grad(found, z, allow_unused=True)
    assert (gradient is not None and bool(gradient.any())) == bool(
        task
    )  # prototypes come to z, not z to them


def test_the_previous_network_sees_the_statistics_of_the_batch() -> None:
    method = made(1)
    method.still = (method.previous.requires_grad_(False),)
    views = noise(6, 2, *SHAPE)
    embedded = method.train().embed(views)
    x = method.previous.encoder.net[1](views.flatten(0, 1).flatten(1))
    y = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    scores = y.relu() @ torch.nn.functional.normalize(method.previous.head.prototypes.weight, dim=1).T
    assert torch.allclose(embedded["old"].flatten(0, 1), scores)
    assert not method.eval().previous.training


def test_only_the_classes_of_the_task_compete() -> None:
    class Sample:
        logits = torch.tensor([[0.9, 0.1, 0.2], [0.9, 0.3, 0.1], [0.0, 0.2, 0.1]])
        labels = torch.tensor([1, 1, 2])

    def top1(**options: Any) -> float:
        chosen = options_for(("measures",), "name", {"name": "accuracy", **options})
        return Accuracy(chosen)(Sample())["top1"]  # type: ignore[arg-type]

    assert top1() == 0.0
    assert top1(among="present") == pytest.approx(100 / 3)


RECIPE = """\
paper: asadi2023-prd
title: Tasks
tier: cpu
dataset: digits
stages:
  tasks:
    kind: rounds
    count: 2
    body:
      train:
        kind: train
        start: $previous.train
        method: {name: prd, projection: {kind: mlp, hidden: 8, out: 4}, tasks: 5, task: $round}
        network: {backbone: mlp, hidden: [8], head: {kind: cosine}}
        networks: {previous: {of: $previous.train}}
        views: {policy: digits, count: 2}
        data: {slice: {classes: {of: 5, task: $round}}}
        epochs: 1
        batch: {size: 64}
        optimizer: {lr: 1.0e-12}
      test:
        kind: evaluate
        of: $this.train
        measure: {name: accuracy, among: present}
        data: {slice: {classes: {of: 5, task: $seen}}}
  result: {kind: continual, of: tasks*_test*.top1}
"""


def test_a_task_begins_with_all_that_the_one_before_it_left(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path))
    write_recipe("r", RECIPE)
    run = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"))
    metrics = run.execute().metrics
    first, second = (load_file(run.folder / f"tasks{n}_train" / "output.safetensors") for n in range(2))
    for name, tensor in first.items():
        if name.startswith(("projection.", "encoder.")):
            assert torch.allclose(second[name], tensor, atol=1e-6)
        if not name.startswith("projection."):
            assert torch.equal(second[f"previous.{name}"], tensor)
    assert metrics["result.average"] == pytest.approx(
        (metrics["tasks1_test0.top1"] + metrics["tasks1_test1.top1"]) / 2
    )
