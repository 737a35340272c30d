"""Zheng et al. 2023: the mixture, the two classifiers, and the search for the number of samples."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.experiments.generalisation import generative_discriminative as experiment
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")


def mixture(samples: int, classes: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(samples) % classes
    return experiment.mixture(labels, classes, n, np.random.default_rng(seed))


def test_the_mixture_has_the_stated_moments() -> None:
    x, labels = mixture(40_000, 2, 5)
    for k, mean in enumerate((-1, 1)):
        here = x[labels == k]
        assert here.mean(0) == pytest.approx(np.full(5, mean), abs=0.06)
        assert here.var(0) == pytest.approx([5, 5, 1, 1, 1], rel=0.05)


def test_more_classes_are_doubled_shifted_and_scaled() -> None:
    x, labels = mixture(50_000, 5, 4)
    centre = 4  # 2^(5−3)
    for k, mean in enumerate((-1, 1, 2, 4, 8)):
        here = x[labels == k]
        assert here.mean(0) == pytest.approx(np.full(4, (mean - centre) / centre), abs=0.03)
        assert here.std(0) == pytest.approx([0.5, 0.5, 0.25, 0.25], rel=0.05)


def test_sizes_rise_by_the_logarithm_or_by_a_share() -> None:
    assert list(experiment.sizes(3, 7, 0.0)) == list(range(6, 700, 2))
    grown = list(experiment.sizes(2, 100, 0.5))
    assert grown[:5] == [4, 9, 14, 21, 31] and grown[-1] < 10_000
    assert all(b - a == max(5, a // 2) for a, b in pairwise(grown))


def test_naive_bayes_is_the_product_of_normal_densities() -> None:
    x, labels = mixture(31, 3, 4)
    points, _ = mixture(200, 3, 4, seed=1)
    variance = np.zeros(4)
    for k in range(3):
        variance += (labels == k).mean() * x[labels == k].astype(float).var(0)
    slow = []
    for point in points:
        scores = []
        for k in range(3):
            score = math.log((labels == k).mean())
            for j in range(4):
                mean = float(np.mean(x[labels == k, j], dtype=float))
                score -= (float(point[j]) - mean) ** 2 / (2 * variance[j])
            scores.append(score)
        slow.append(int(np.argmax(scores)))
    assert experiment.naive_bayes(x, labels)(points).tolist() == slow


def test_a_feature_without_variance_decides_alone() -> None:
    x = np.array([[0.0, 5.0], [0.0, -9.0], [1.0, 4.0], [1.0, -8.0]], dtype=np.float32)
    predict = experiment.naive_bayes(x, np.array([0, 0, 1, 1]))
    assert predict(np.array([[0.1, 4.0], [0.9, 5.0]])).tolist() == [0, 1]


def test_logistic_regression_reaches_the_minimum_of_the_summed_loss() -> None:
    x, labels = mixture(60, 2, 20)
    model = experiment.logistic(x, labels).__self__
    w = torch.tensor(model.coef_[0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor(model.intercept_[0], dtype=torch.float64)
    inputs, signs = torch.from_numpy(x).double(), torch.from_numpy(labels) * 2.0 - 1
    total = torch.nn.functional.softplus(-signs * (inputs @ w + b)).sum() + w.square().sum() / 2
    (gradient,) = torch.autograd.grad(total, w)
    assert gradient.abs().max() < 1e-3  # of entries up to 100; the mean's tolerance would leave about 6e-3
    predicted = experiment.logistic(x, labels)(x)
    assert (predicted == (inputs @ w.detach() + b > 0).numpy()).all()


def test_the_first_number_of_samples_that_is_good_enough_counts(tmp_path: Path) -> None:
    stage = experiment.GenerativeDiscriminative
    options = {"kind": "g", "features": (20, 60), "repeats": 2, "growth": 0.2, "error": 0.02}
    ctx = context(tmp_path, device=CPU, picture=lambda name: tmp_path / name, checkpoint_every=1e9)
    outcome = stage(stage.Options.model_validate(options)).run(ctx)
    for model in ("nb", "lr"):
        tried = {n: list(experiment.sizes(2, n, 0.2)) for n in (20, 60)}
        assert all(point[model] in tried[point["n"]] for point in outcome.curve)
        small, large = (outcome.metrics[f"{model}_{n}"] for n in (20, 60))
        assert small == np.mean([p[model] for p in outcome.curve if p["n"] == 20])
        assert outcome.metrics[f"{model}_slope"] == pytest.approx(math.log(large / small) / math.log(3))
    assert outcome.metrics["lr_60"] > outcome.metrics["nb_60"]
    assert (tmp_path / "samples.svg").exists()


def test_a_target_out_of_reach_ends_at_the_pool(tmp_path: Path) -> None:
    """Two features: the error of the best classifier, Φ(−√(1/2 + 1)), is 11 %."""
    stage = experiment.GenerativeDiscriminative
    options = {"kind": "g", "features": (2, 3), "repeats": 1, "growth": 1.0, "error": 0.01}
    ctx = context(tmp_path, device=CPU, picture=lambda name: tmp_path / name, checkpoint_every=1e9)
    metrics = stage(stage.Options.model_validate(options)).run(ctx).metrics
    assert (metrics["nb_2"], metrics["lr_3"]) == (200, 300)


def test_the_bound_in_the_recipe_is_the_logarithm_s_slope() -> None:
    recipe = load("nb-vs-lr-gaussian-mixture")
    log_n = np.log(recipe.stages["k2"].features)
    bound = next(e.at_most for e in recipe.expected if e.metric == "k2.nb_slope")
    assert bound == pytest.approx(np.polyfit(log_n, np.log(log_n), 1)[0], abs=1e-4)
