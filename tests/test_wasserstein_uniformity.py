"""Fang et al. 2024: the metric against matrix roots, its invariances, and the closed forms against draws."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch import Tensor

from repro.experiments.contrastive.uniform_sphere import continuum
from repro.experiments.redundancy_reduction.wasserstein_uniformity import (
    WassersteinUniformity,
    active,
    change,
    sampled_wasserstein,
    uniformity,
    wasserstein,
)
from repro.methods.contrastive import align_uniform
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")


def sphere(n: int, m: int, seed: int = 0) -> Tensor:
    x = torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


def measured(folder: Path, **options: Any) -> dict[str, float]:
    ctx = context(folder, device=CPU, checkpoint_every=1e9, picture=lambda name: folder / name)
    chosen = WassersteinUniformity.Options.model_validate({"kind": "wasserstein_uniformity", **options})
    return WassersteinUniformity(chosen).run(ctx).metrics


@given(st.integers(8, 40), st.integers(2, 6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_distance_is_that_of_any_two_gaussians(n: int, m: int, seed: int) -> None:
    """The general formula |µ₁ − µ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₂^½ Σ₁ Σ₂^½)^½), with Σ₂ = I/m and µ₂ = 0."""
    x = sphere(n, m, seed).numpy()
    covariance, other = np.cov(x.T, bias=True), np.eye(m) / m
    root = sqrtm(sqrtm(other) @ covariance @ sqrtm(other)).real
    square = x.mean(0) @ x.mean(0) + np.trace(covariance + other - 2 * root)
    assert wasserstein(torch.tensor(x)) == pytest.approx(math.sqrt(max(square, 0)), abs=1e-5)


def test_what_leaves_the_metric_as_it_is_and_what_does_not() -> None:
    x = sphere(50, 5)
    value = wasserstein(x)
    shuffled = x[torch.randperm(50, generator=torch.Generator().manual_seed(1))]
    rotation = torch.linalg.qr(sphere(5, 5, seed=2)).Q
    for same in (shuffled, x @ rotation, change(x, "instances", 3)):
        assert wasserstein(same) == pytest.approx(value)
    assert wasserstein(change(x, "features", 1)) > wasserstein(change(x, "zeros", 1)) > value
    one = x[:1].repeat(9, 1)  # all at one point: |µ| = 1 and no covariance
    assert wasserstein(one) == pytest.approx(math.sqrt(2))


def test_the_ideal_is_zero() -> None:
    axes = torch.cat([torch.eye(4), -torch.eye(4)])
    assert wasserstein(axes) == pytest.approx(0, abs=1e-6)


def test_copies_by_hand() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert change(x, "instances", 1).tolist() == [[1, 2], [3, 4], [1, 2], [3, 4]]
    assert change(x, "features", 2).tolist() == [[1, 2] * 3, [3, 4] * 3]
    assert change(x, "zeros", 1).tolist() == [[1, 2, 0, 0], [3, 4, 0, 0]]


@pytest.mark.parametrize(("n", "m", "t"), [(5, 3, 2.0), (256, 8, 2.0), (257, 8, 0.5), (600, 4, 2.0)])
def test_l_uniform_is_the_method_s(n: int, m: int, t: float) -> None:
    x = sphere(n, m) * 1.3  # it must not rely on the norm, as copied coordinates change it
    assert uniformity(x, t) == pytest.approx(align_uniform.uniformity(x, t).item(), abs=1e-9)


@pytest.mark.parametrize(("n", "m", "collapse"), [(400, 20, 0.0), (400, 20, 0.5), (1000, 32, 0.25)])
def test_the_closed_form_is_the_mean_of_draws(n: int, m: int, collapse: float) -> None:
    k = active(m, collapse)
    squares = []
    for seed in range(30):
        x = torch.cat([sphere(n, k, seed), torch.zeros(n, m - k)], 1)
        squares.append(wasserstein(x) ** 2)
    assert np.mean(squares) == pytest.approx(sampled_wasserstein(n, m, collapse) ** 2, abs=0.0015)


def test_limits_are_the_catalogue_s() -> None:
    limits = [sampled_wasserstein(10**12, 1000, eta) for eta in (0, 0.25, 0.5, 0.75, 0.9)]
    assert limits == pytest.approx([0, 0.518, 0.765, 1.0, 1.169], abs=6e-4)


@pytest.mark.parametrize(("dim", "collapse", "left"), [(200, 0.9, 20), (32, 0.25, 24), (10, 1.0, 1)])
def test_coordinates_left(dim: int, collapse: float, left: int) -> None:
    assert active(dim, collapse) == left


def test_the_recipe_s_numbers_follow_from_the_formulas() -> None:
    recipe = load("wuniformity-collapse")
    found = 0
    for e in recipe.expected:
        if e.source.evidence == "derived" and e.value is not None:
            stage: Any = recipe.stages[e.metric.split(".")[0]]
            kind, percent = e.metric.split(".")[1].split("_")
            left = active(stage.dim, int(percent) / 100)
            w2 = sampled_wasserstein(stage.points, stage.dim, int(percent) / 100)
            assert e.value == pytest.approx(w2 if kind == "w2" else continuum(left, 2.0), abs=6e-5)
            found += 1
    assert found == 12


@pytest.mark.parametrize(("collapse", "printed"), [(0.25, 0.5240), (0.5, 0.7675), (0.75, 1.0007)])
def test_the_authors_printed_values_are_those_of_a_thousand_points(collapse: float, printed: float) -> None:
    assert printed == pytest.approx(sampled_wasserstein(1000, 32, collapse), abs=0.0015)
    if collapse == 0.25:
        assert printed - sampled_wasserstein(50000, 32, collapse) > 0.005


def test_a_run_names_its_metrics_and_draws(tmp_path: Path) -> None:
    metrics = measured(tmp_path, points=300, dim=16, collapse=(0.0, 0.5), copies=(1,))
    names = {
        f"{metric}_{eta}{change}"
        for metric in ("w2", "lu")
        for eta in (0, 50)
        for change in ("", "_instances_1", "_features_1", "_zeros_1")
    }
    assert set(metrics) == names
    assert metrics["w2_50"] == pytest.approx(sampled_wasserstein(300, 16, 0.5), abs=0.01)
    assert metrics["lu_50"] == pytest.approx(continuum(8, 2.0), abs=0.03)
    assert metrics["w2_50_instances_1"] == pytest.approx(metrics["w2_50"], abs=1e-6)
    assert metrics["w2_50_zeros_1"] > metrics["w2_50"]
    assert metrics["lu_50_zeros_1"] == pytest.approx(metrics["lu_50"], abs=1e-6)
    assert (tmp_path / "collapse.svg").exists()
