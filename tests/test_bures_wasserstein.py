"""Bréchet et al. 2023: the distance, the networks' start, the minima and the rate, by other means."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize
from scipy.linalg import sqrtm
from torch import Tensor, nn

from repro.experiments.optimisation import bures_wasserstein as experiment
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covariance(n: int) -> tuple[Tensor, Tensor]:
    """A covariance and its square root."""
    values, vectors = torch.linalg.eigh(gaussian(n, n) @ gaussian(n, n).T)
    return vectors * values @ vectors.T, vectors * values.sqrt() @ vectors.T


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_loss_is_the_distance_of_the_definition(rank: int) -> None:
    sigma, root = covariance(4)
    w = gaussian(4, rank, seed=1) @ gaussian(rank, 4, seed=2)
    cross = np.sqrt(np.clip(np.linalg.eigvals((sigma @ w @ w.T).numpy()).real, 0, None)).sum()
    expected = np.trace(sigma) + np.trace(w @ w.T) - 2 * cross
    assert experiment.loss(w, root).item() == pytest.approx(expected, abs=1e-6)


def test_the_smoothed_loss_is_that_of_the_smoothed_square_root() -> None:
    sigma, root = covariance(3)
    w, tau = gaussian(3, 3, seed=1), 0.3
    cross = sqrtm((root @ w @ w.T @ root).numpy() + tau * np.eye(3)).real
    expected = np.trace(sigma) + np.trace(w @ w.T) - 2 * np.trace(cross)
    assert experiment.loss(w, root, tau).item() == pytest.approx(expected)


def test_commuting_covariances_differ_by_their_roots() -> None:
    a, b = torch.tensor([4.0, 1.0, 0.25]).double(), torch.tensor([1.0, 1.0, 0.0]).double()
    found = experiment.loss(b.sqrt().diag(), a.sqrt().diag())
    assert found.item() == pytest.approx((2 - 1) ** 2 + 0.5**2)


@pytest.mark.parametrize("factors", [2, 3, 4])
def test_networks_start_balanced_with_equal_singular_values(factors: int) -> None:
    net = experiment.Product(6, 2, factors, 0.5, torch.Generator().manual_seed(0))
    s = torch.linalg.svdvals(net())
    assert s.tolist() == pytest.approx([0.5, 0.5, 0, 0, 0, 0], abs=1e-12)
    shapes = [tuple(layer.shape) for layer in net.layers]
    assert shapes == [(2, 6), (6, 2), *[(6, 6)] * (factors - 2)]
    for before, after in zip(list(net.layers), list(net.layers)[1:], strict=False):
        assert torch.allclose(after.T @ after, before @ before.T)


@pytest.mark.parametrize("tau", [0.0, 1e-3])
def test_no_diagonal_lies_below_the_minimum(tau: float) -> None:
    values = torch.tensor([1.0, 0.6, 0.3], dtype=torch.float64)
    root = values.sqrt().diag()

    def along(x: np.ndarray) -> float:
        return experiment.loss(torch.diag(torch.tensor([x[0], x[1], 0.0]).double()), root, tau).item()

    best = optimize.minimize(along, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert experiment.minimum(values, 2, tau) == pytest.approx(best.fun, abs=1e-9)


def test_every_choice_of_eigenvectors_is_critical_but_not_another_size() -> None:
    values = torch.tensor([1.0, 0.6, 0.3], dtype=torch.float64)
    vectors = torch.linalg.qr(gaussian(3, 3)).Q
    found = experiment.critical_points(values, vectors)
    assert max(found.values()) < 1e-9
    w = (1.1 * vectors[:, :1] * values[0].sqrt()).requires_grad_()
    here = experiment.loss(w, vectors * values.sqrt() @ vectors.T)
    assert torch.autograd.grad(here, w)[0].norm() > 0.1


@pytest.mark.parametrize("factors", [2, 3])
def test_the_rate_is_that_of_the_smallest_curvature(factors: int) -> None:
    """The Hessian by the layers at the balanced minimum, by differences of the gradient, apart from its zeros."""
    n, k, lr = 3, 2, 0.05
    values = torch.tensor([1.0, 0.7, 0.5], dtype=torch.float64)
    net = experiment.Product(n, k, factors, 1.0, torch.Generator().manual_seed(0))
    size = values[:k] ** (1 / (2 * factors))
    ends = torch.eye(n, dtype=torch.float64)[:, :k]
    layers = [size.diag() @ ends.T, ends @ size.diag(), *[ends @ size.diag() @ ends.T] * (factors - 2)]
    with torch.no_grad():
        for parameter, layer in zip(net.layers, layers, strict=True):
            parameter.copy_(layer)
    start = nn.utils.parameters_to_vector(net.parameters()).detach()

    def gradient(point: Tensor) -> Tensor:
        nn.utils.vector_to_parameters(point, net.parameters())
        here = experiment.loss(net(), values.sqrt().diag())
        return nn.utils.parameters_to_vector(torch.autograd.grad(here, list(net.parameters())))

    assert gradient(start).norm() < 1e-9
    h = 1e-5
    steps = h * torch.eye(len(start), dtype=torch.float64)
    hessian = torch.stack([(gradient(start + e) - gradient(start - e)) / (2 * h) for e in steps])
    curvature = torch.linalg.eigvalsh((hessian + hessian.T) / 2)
    smallest = curvature[curvature > 1e-3][0].item()
    assert curvature[0] > -1e-3
    assert experiment.rate(values, k, factors, lr) == pytest.approx(
        -2 * math.log(1 - lr * smallest), rel=1e-3
    )


def measured(folder: Path, **options: Any) -> dict[str, float]:
    stage = experiment.BuresWasserstein
    ctx = context(folder, device=CPU, picture=lambda name: folder / name, checkpoint_every=1e9)
    return stage(stage.Options.model_validate({"kind": "b", **options})).run(ctx).metrics


def test_descent_finds_the_minimum_of_every_rank_at_the_rate(tmp_path: Path) -> None:
    metrics = measured(tmp_path, dim=3, factors=2, steps=800)
    assert max(metrics["gap"], metrics["covariance_error"], metrics["critical_gradient"]) < 1e-7
    assert metrics["distance_gap"] == metrics["gap"]
    assert metrics["rate_error"] < 0.05
    assert (tmp_path / "gaps.svg").exists()


def test_smoothing_shrinks_the_eigenvalues(tmp_path: Path) -> None:
    tau = 0.01
    metrics = measured(tmp_path, dim=2, steps=600, smoothing=tau)
    assert metrics["gap"] < 1e-7 and metrics["angle"] < 1e-3
    shrunk = (1 - math.sqrt(1 - tau)) ** 2  # of the eigenvalue 1, at x = 1 − τ
    assert metrics["distance_gap"] == pytest.approx(shrunk, abs=1e-7)


def test_a_truncation_of_the_wrong_vectors_is_outside() -> None:
    w = torch.diag(torch.tensor([1.0, 0.5, 0.0]).double())
    eye = torch.eye(3, dtype=torch.float64)
    assert experiment.outside(w, eye[:, :2]) == pytest.approx(0, abs=1e-12)
    assert experiment.outside(w, eye[:, 1:]) == pytest.approx(1)
