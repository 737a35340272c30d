"""The stage under toy experiments: it does what a plain loop does, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.budget import Stopped
from repro.engine.stage import Context
from repro.keys import key
from repro.stages.minimise import Minimise, Problem
from tests.test_engine import context as of_loop


def context(folder: Path, **changes: Any) -> Any:
    return of_loop(folder, device=torch.device("cpu"), **changes)


class Noisy(Problem):
    """‖x − 1‖² with draws in it."""

    samples = 3

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def forward(self) -> Tensor:
        return (self.x - 1 + 0.1 * torch.randn(4, dtype=torch.float64)).square().sum()

    def watched(self) -> dict[str, Any]:
        return {"first": self.x[0]}

    def metrics(self) -> dict[str, float]:
        return {"x": self.x.sum().item()}


class Still(Noisy):
    def forward(self) -> Tensor:
        return (self.x - 1).square().sum() ** 2 + self.x[0] ** 4


class Descent(Minimise):
    curve_points = 5

    def problem(self, ctx: Context) -> Noisy:
        return Noisy()

    def optimizer(self, problem: Noisy) -> torch.optim.Optimizer:
        return torch.optim.SGD(problem.parameters(), 0.05, momentum=0.9)


class Newton(Minimise):
    def problem(self, ctx: Context) -> Still:
        return Still()


def test_it_is_the_plain_loop(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    outcome = Descent(SimpleNamespace(steps=20)).run(ctx)
    x, velocity, curve = torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64), []
    for step in range(20):
        torch.manual_seed(key(ctx.seed, ctx.stage, "step", step))
        off = x - 1 + 0.1 * torch.randn(4, dtype=torch.float64)
        velocity = 0.9 * velocity + 2 * off
        x = x - 0.05 * velocity
        if (step + 1) % 4 == 0:
            curve.append({"step": step + 1, "loss": float(off.square().sum()), "first": float(x[0])})
    assert outcome.metrics["x"] == pytest.approx(float(x.sum()), abs=1e-12)
    assert len(outcome.curve) == 5
    for found, expected in zip(outcome.curve, curve, strict=True):
        assert found == pytest.approx(expected, abs=1e-12)


def test_lbfgs_reaches_the_minimum(tmp_path: Path) -> None:
    outcome = Newton(SimpleNamespace(steps=4)).run(context(tmp_path))
    grid = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    least = float(((grid - 1) ** 4 + grid**4).min())  # the others are at 1
    assert len(outcome.curve) == 4 and outcome.curve[-1]["loss"] == pytest.approx(least, abs=1e-9)
    assert outcome.metrics["x"] == pytest.approx(3.5, abs=1e-3)


def test_a_stopped_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole = Descent(SimpleNamespace(steps=20)).run(context(tmp_path / "whole"))

    class Impatient:
        asked = 0

        def check(self, margin: float = 0.0) -> str | None:
            self.asked += 1
            return "enough" if self.asked == 7 else None

    with pytest.raises(Stopped):
        Descent(SimpleNamespace(steps=20)).run(context(tmp_path / "stopped", deadline=Impatient()))
    resumed = Descent(SimpleNamespace(steps=20)).run(context(tmp_path / "stopped"))
    assert resumed.metrics == whole.metrics and resumed.curve == whole.curve
