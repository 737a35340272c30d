"""Lu et al. 2024: the loss by its definition, its slope by automatic differentiation, its stationary points."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from repro.experiments.alignment_llm import preference_landscape as experiment
from tests.test_engine import context


def measured(folder: Path, **options: Any) -> dict[str, float]:
    stage = experiment.PreferenceLandscape
    ctx = context(folder, picture=lambda name: folder / name)
    return stage(stage.Options.model_validate({"kind": "p", **options})).run(ctx).metrics


@pytest.mark.parametrize("tau", [0.05, 0.5])
@pytest.mark.parametrize("x", [-3.0, -0.1, 0.0, 0.07, 2.0])
def test_loss_and_slope_are_those_of_the_formula(x: float, tau: float) -> None:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    share = torch.sigmoid(point / tau)
    value = -F.logsigmoid(point) * (1 - share) + torch.exp(-point) * share
    (gradient,) = torch.autograd.grad(value, point)
    assert experiment.loss(x, tau) == pytest.approx(value.item(), rel=1e-12)
    assert experiment.slope(x, tau) == pytest.approx(gradient.item(), rel=1e-9)


def test_stationary_points_are_where_a_search_finds_them(tmp_path: Path) -> None:
    metrics = measured(tmp_path, beta=0.1, tau=0.05)
    for sign, kind in ((1, "minimum"), (-1, "maximum")):
        best = minimize_scalar(
            lambda rho, sign=sign: sign * experiment.loss(0.1 * rho, 0.05),
            bounds=(-2, 0) if kind == "minimum" else (0, 1.5),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert metrics[f"{kind}_at"] == pytest.approx(best.x, abs=1e-5)
        assert metrics[kind] == pytest.approx(sign * best.fun, abs=1e-12)
    assert (metrics["minima"], metrics["maxima"]) == (1, 1)
    assert metrics["at_zero"] == pytest.approx((1 + math.log(2)) / 2)
    assert (tmp_path / "loss.svg").exists()


def test_a_slow_step_leaves_no_stationary_point(tmp_path: Path) -> None:
    """At x = 0 the slope is (1 − log 2)/(4τ) − 3/4; for τ = 1 the first term is a tenth of the second."""
    metrics = measured(tmp_path, beta=0.1, tau=1.0)
    assert (metrics["minima"], metrics["maxima"]) == (0, 0)
    assert math.isnan(metrics["minimum"])
    assert experiment.slope(0.0, 1.0) == pytest.approx((1 - math.log(2)) / 4 - 0.75)


def test_the_branches_are_logistic_and_exponential(tmp_path: Path) -> None:
    metrics = measured(tmp_path, beta=0.05, tau=0.05, span=20)
    assert 0 < metrics["left_error"] < 1e-7  # s is σ(−20) = 2e-9, the step from log(1 + e) to e
    assert 0 < metrics["right_error"] < 1e-7
    assert metrics["left_error"] == pytest.approx(
        (math.e / math.log1p(math.e) - 1) / (1 + math.exp(20)), rel=1e-4
    )
