"""Das and Sanghavi 2023: the simulated students against the closed form, and the linear classifier by other means."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from repro.experiments.knowledge_distillation import self_distillation_probe as probe
from repro.experiments.knowledge_distillation import self_distillation_ridge as ridge
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def options(**changes: Any) -> Any:
    small = {"kind": "self_distillation_ridge", "dim": 4, "samples": 7, "ridges": 81}
    return ridge.SelfDistillationRidge.Options.model_validate({**small, **changes})


def measured(folder: Path, **changes: Any) -> dict[str, float]:
    ctx = context(folder, device=CPU)
    ctx.folder.mkdir(parents=True, exist_ok=True)
    return ridge.SelfDistillationRidge(options(**changes)).run(ctx).metrics


# Ridge regression


@pytest.mark.parametrize("ridge_", [0.1, 1.0, 20.0])
def test_the_fit_has_no_gradient(ridge_: float) -> None:
    x, y = gaussian(7, 4), gaussian(2, 7, seed=1)
    theta = ridge.fit(x, y, ridge_)
    assert torch.allclose(
        x.T @ (x @ theta.T - y.T) + ridge_ * theta.T, torch.zeros(4, 2, dtype=x.dtype), atol=1e-12
    )


def test_the_design_has_the_modes_that_are_asked_for() -> None:
    o = options(largest=4.0, smallest=0.5, alignment=1.0)
    x, theta = ridge.design(o, torch.Generator().manual_seed(0))
    _, s, directions = torch.linalg.svd(x, full_matrices=False)
    assert s.tolist() == pytest.approx([4.0, 2.0, 1.0, 0.5])
    assert (directions @ theta).abs().tolist() == pytest.approx((s / s.norm()).tolist())


@pytest.mark.parametrize(("noise", "alignment"), [(0.05, 0.0), (0.7, 1.0), (5.0, -0.5)])
def test_the_best_student_is_that_of_the_closed_form(noise: float, alignment: float, tmp_path: Path) -> None:
    metrics = measured(tmp_path, noise=noise, alignment=alignment)
    o = options(noise=noise, alignment=alignment)
    s, theta = (t.numpy() for t in ridge.modes(o))
    xi = np.linspace(-6, 6, 120_001)[:, None]
    a = s**2 / (s**2 + 1)
    kept = a * (1 - xi * (1 - a))
    error = (theta**2 * (1 - kept) ** 2 + noise**2 * kept**2 / s**2).sum(1)
    assert metrics["xi"] == pytest.approx(xi[error.argmin(), 0], abs=1e-4)
    assert metrics["xi"] == pytest.approx(ridge.optimal_xi(o))
    assert metrics["student"] == pytest.approx(error.min(), rel=1e-6)
    assert metrics["teacher"] == pytest.approx(error[60_000])


def test_the_expectation_is_the_mean_over_gaussian_noise() -> None:
    o = options(noise=0.8)
    x, theta = ridge.design(o, torch.Generator().manual_seed(0))
    noise = 0.8 * gaussian(200_000, 7)
    sampled = ridge.student_errors(x, theta, x @ theta + noise, 1.0)
    extremes = 0.8 * 7**0.5 * torch.eye(7, dtype=x.dtype)
    exact = ridge.student_errors(x, theta, x @ theta + torch.cat([extremes, -extremes]), 1.0)
    assert sampled.tolist() == pytest.approx(exact.tolist(), rel=0.02)


def test_the_threshold_of_the_noise_is_where_the_best_student_takes_all_of_the_teacher_s_word() -> None:
    s, theta = (t.numpy() for t in ridge.modes(options()))
    a = s**2 / (s**2 + 1)
    threshold = np.sqrt((theta**2 * a * (1 - a) ** 2 * (1 + a)).sum() / (a**3 * (1 - a) / s**2).sum())
    assert ridge.optimal_xi(options(noise=threshold)) == pytest.approx(1)
    assert (
        ridge.optimal_xi(options(noise=1.01 * threshold))
        > 1
        > ridge.optimal_xi(options(noise=0.99 * threshold))
    )


def test_no_gain_over_the_best_ridge_unless_the_truth_lies_along_large_modes(tmp_path: Path) -> None:
    equal, along, across = (measured(tmp_path, noise=0.3, alignment=p)["gain"] for p in (0.0, 1.0, -1.0))
    assert 0 <= equal < 1e-3 and 0 <= across < 1e-3 < along
    assert "<svg" in (tmp_path / "stage" / "error.svg").read_text()


# Classification


def test_the_share_of_wrong_labels_and_the_classes_that_they_get() -> None:
    labels = torch.arange(4).repeat(1000)
    given = probe.corrupted(labels, 4, 0.3, key=5)
    wrong = given != labels
    assert wrong.sum() == 1200
    shifts = torch.bincount((given - labels)[wrong] % 4, minlength=4)
    assert shifts[0] == 0 and (shifts[1:] - 400).abs().max() < 80  # five standard deviations
    assert torch.equal(probe.corrupted(labels, 4, 0.0, key=5), labels)


def test_the_teacher_is_scikit_learn_s_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    x, labels, decay = gaussian(60, 5), torch.arange(60) % 3, 0.05
    weights = probe.fit(x, torch.nn.functional.one_hot(labels, 3).double(), decay, 500)
    reference = LogisticRegression(C=1 / (60 * decay), tol=1e-10, max_iter=10_000).fit(
        x.numpy(), labels.numpy()
    )
    assert np.allclose(weights[:-1].numpy(), reference.coef_.T, atol=1e-4)
    relative = weights[-1].numpy() - reference.intercept_
    assert np.allclose(relative, relative.mean(), atol=1e-4)  # a common shift of the biases changes nothing


def test_a_student_beyond_one_ends_at_the_minimum_of_the_mixed_loss() -> None:
    """ξ times the loss with the teacher's targets plus 1 − ξ times that with the labels; no step lowers it."""
    x, labels = gaussian(40, 4), torch.nn.functional.one_hot(torch.arange(40) % 3, 3).double()
    soft = gaussian(40, 3, seed=1).softmax(1)

    def mixed(weights: Tensor) -> float:
        log = torch.log_softmax(x @ weights[:-1] + weights[-1], 1)
        parts = [-(targets * log).sum(1).mean() for targets in (soft, labels)]
        return (1.8 * parts[0] - 0.8 * parts[1] + 0.1 * weights[:-1].square().sum()).item()

    weights = probe.fit(x, 1.8 * soft - 0.8 * labels, 0.2, 500)
    for seed in range(20):
        assert mixed(weights) < mixed(weights + 1e-3 * gaussian(5, 3, seed=seed))


def test_students_beyond_one_are_better_where_half_of_the_labels_are_wrong(tmp_path: Path) -> None:
    def images(n: int, seed: int) -> Any:
        labels = torch.arange(n) % 4
        centres = gaussian(4, 40, seed=9)
        bytes_ = (128 + 30 * (centres[labels] + 2 * gaussian(n, 40, seed=seed))).clamp(0, 255).to(torch.uint8)
        return SimpleNamespace(images=bytes_.reshape(n, 1, 4, 10), labels=labels, classes=4)

    data = {"train": images(400, 1), "test": images(4000, 2)}
    ctx = context(tmp_path, device=CPU, data=data.__getitem__)
    ctx.folder.mkdir(parents=True, exist_ok=True)
    given = {"kind": "self_distillation_probe", "train": 200, "decay": 0.003, "xi": (0.5, 1.0, 1.5)}
    stage = probe.SelfDistillationProbe
    metrics = stage(stage.Options.model_validate(given)).run(ctx).metrics
    assert (
        metrics["xi_0"] < metrics["up_to_one"] == metrics["xi_1"] < metrics["above_one"] == metrics["xi_1_5"]
    )
    assert metrics["best_xi"] == 1.5
    assert "<svg" in (ctx.folder / "accuracy.svg").read_text()
