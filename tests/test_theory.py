"""Closed forms of theory papers by other means: quadrature, slow loops, sampling, and cases done by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from repro.experiments.contrastive import (
    augmentation_graph,
    dcl_identity,
    dimensional_collapse,
    uniform_sphere,
)
from repro.experiments.generalisation import stepwise_barlow
from repro.experiments.loss_function import rince_limits
from repro.experiments.negative_free import predictor_dynamics
from repro.experiments.redundancy_reduction import tico_identity, vicreg_spectral
from repro.methods.contrastive.spectral import Spectral
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def measured(stage: Any, folder: Path, seed: int = 0, **options: Any) -> dict[str, float]:
    """The metrics of a run of the stage with these options."""
    chosen = stage.Options.model_validate({"kind": "stage", **options})
    ctx = context(folder, device=CPU, seed=seed, checkpoint_every=1e9)
    return stage(chosen).run(ctx).metrics


# Wang and Isola 2020


@pytest.mark.parametrize(("dim", "t"), [(2, 2.0), (3, 2.0), (3, 0.5), (16, 2.0), (128, 2.0)])
def test_the_uniform_distribution_s_value_is_that_of_quadrature(dim: int, t: float) -> None:
    angle = (np.arange(20000) + 0.5) * math.pi / 20000  # the angle of two points has density ∝ sin^(d−2)
    weight = np.sin(angle) ** (dim - 2)
    mean = (np.exp(-t * (2 - 2 * np.cos(angle))) * weight).sum() / weight.sum()
    assert uniform_sphere.continuum(dim, t) == pytest.approx(math.log(mean), abs=1e-7)


def test_the_paper_file_s_minima() -> None:
    assert uniform_sphere.continuum(2, 2.0) == pytest.approx(-1.575027, abs=1e-6)
    assert uniform_sphere.continuum(128, 2.0) == pytest.approx(-3.93753, abs=1e-6)


@pytest.mark.parametrize(("points", "dim"), [(2, 2), (3, 2), (5, 2), (40, 2), (6, 5), (300, 3), (20, 8)])
def test_no_points_lie_below_the_bound(points: int, dim: int) -> None:
    for seed in range(5):
        x = gaussian(points, dim, seed=seed)
        loss = uniform_sphere.uniformity(x / x.norm(dim=1, keepdim=True), 2.0).item()
        assert loss >= uniform_sphere.finite_bound(points, dim, 2.0) - 1e-12


def test_polygon_and_simplex_attain_the_bound() -> None:
    angle = torch.arange(40, dtype=torch.float64) * 2 * math.pi / 40
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    bound = uniform_sphere.finite_bound(40, 2, 2.0)
    assert uniform_sphere.uniformity(ring, 2.0).item() == pytest.approx(bound, abs=1e-10)
    assert uniform_sphere.nearest_angles(ring) == pytest.approx(torch.full((40,), 9.0, dtype=torch.float64))
    simplex = torch.eye(4, dtype=torch.float64) - 1 / 4
    simplex /= simplex.norm(dim=1, keepdim=True)
    bound = uniform_sphere.finite_bound(4, 3, 2.0)
    assert bound == pytest.approx(-16 / 3)
    assert uniform_sphere.uniformity(simplex, 2.0).item() == pytest.approx(bound, abs=1e-12)


def test_two_optimised_points_are_opposite(tmp_path: Path) -> None:
    metrics = measured(uniform_sphere.UniformSphere, tmp_path, points=2, dim=3, steps=2)
    assert metrics["nearest"] == pytest.approx(180, abs=1e-3)
    assert metrics["loss"] == pytest.approx(-8)
    assert metrics["loss_all"] == pytest.approx(math.log((1 + math.exp(-8)) / 2))


# HaoChen et al. 2021


def graph(**changes: Any) -> Any:
    return augmentation_graph.AugmentationGraph.Options.model_validate(
        {"kind": "augmentation_graph", "k": 3, "classes": 3, "ring": 4, **changes}
    )


def joint(**changes: Any) -> Tensor:
    return augmentation_graph.joint_distribution(graph(**changes), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_graph_is_a_symmetric_joint_distribution(noise: float) -> None:
    w = joint(noise=noise)
    assert w.sum().item() == pytest.approx(1)
    assert torch.allclose(w, w.T)
    assert torch.linalg.eigvalsh(augmentation_graph.normalised(w))[-1].item() == pytest.approx(1)


def test_eigenvalues_of_the_regular_graph() -> None:
    found = torch.linalg.eigvalsh(augmentation_graph.normalised(joint(mix=0.1)))
    cosine = [1.0, 0.5, 0.0, 0.5]  # (1 + cos(2πj/4))/2
    expected = sorted([1.0] + [0.81] * 2 + [0.81 * c * c for c in cosine[1:] * 3])
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_the_population_loss_is_the_method_s_on_samples() -> None:
    w, f = joint(noise=0.5), gaussian(12, 2) / 2
    drawn = torch.multinomial(w.flatten(), 4000, True, generator=torch.Generator().manual_seed(1))
    z = torch.stack([f[drawn // 12], f[drawn % 12]], 1)
    method = Spectral(Spectral.Options(name="spectral"), nn.Identity(), nn.Identity())
    exact = augmentation_graph.population_loss(f, w).item()
    assert method.loss(z).item() == pytest.approx(exact, abs=0.05)


def test_the_population_loss_is_the_factorisation_s() -> None:
    w, f = joint(noise=0.5), gaussian(12, 2)
    adjacency = augmentation_graph.normalised(w)
    u = w.sum(1).sqrt()[:, None] * f
    expected = (adjacency - u @ u.T).square().sum() - adjacency.square().sum()
    assert augmentation_graph.population_loss(f, w).item() == pytest.approx(expected.item())


def test_angles_and_probe_by_hand() -> None:
    x = torch.tensor([[1.0, 0, 0], [0, 1, 1]], dtype=torch.float64).T
    plane = torch.eye(3, dtype=torch.float64)[:, :2]
    assert augmentation_graph.outside(x, plane) == pytest.approx(math.sqrt(0.5))
    assert augmentation_graph.outside(x @ gaussian(2, 2), plane) == pytest.approx(math.sqrt(0.5))
    f = torch.tensor([[1.0], [1.0], [0.0]], dtype=torch.float64)  # ŷ = (1/4, 3/4) for the first two, else 0
    weight = torch.tensor([0.125, 0.375, 0.5], dtype=torch.float64)
    residual, error = augmentation_graph.probe(f, weight, torch.tensor([0, 1, 1]))
    assert residual == pytest.approx(0.125 * 2 * 0.75**2 + 0.375 * 2 * 0.25**2 + 0.5)
    assert error == pytest.approx(62.5)


def test_too_many_features_are_told() -> None:
    with pytest.raises(ValidationError, match="must be less than the number of points"):
        graph(k=12)


# Jing et al. 2021


def test_equilibria_are_minima_on_a_grid() -> None:
    for k in (0.1, 0.5, 1.0, 1.9, 2.5):
        w = torch.linspace(0, 5, 50001, dtype=torch.float64)
        s = w.square()
        loss = (k * s - (1 + s).log() - s / (1 + s)) / 2
        assert w[loss.argmin()].item() == pytest.approx(dimensional_collapse.equilibrium(k), abs=1e-3)


def test_the_sampled_loss_tends_to_the_population_s() -> None:
    w, variance = gaussian(3, 3) / 2, torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    torch.manual_seed(0)
    n = 1000
    losses = [dimensional_collapse.sampled_loss(w, variance, n).item() - math.log(n) for _ in range(5)]
    expected = dimensional_collapse.population_loss(w, variance).item()
    assert np.mean(losses) == pytest.approx(expected, abs=0.03)


def test_the_sampled_loss_is_that_of_slow_loops() -> None:
    w, variance = gaussian(2, 2), torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.manual_seed(4)
    x, noise = torch.randn(2, 3, 2, dtype=torch.float64)
    torch.manual_seed(4)
    loss = dimensional_collapse.sampled_loss(w, variance, 3).item()
    z, other = (x @ w.T).numpy(), ((x + variance.sqrt() * noise) @ w.T).numpy()
    slow = []
    for i in range(3):
        positive = math.exp(-((z[i] - other[i]) ** 2).sum() / 2)
        negative = sum(math.exp(-((z[i] - z[j]) ** 2).sum() / 2) for j in range(3) if j != i)
        slow.append(-math.log(positive / (positive + negative)))
    assert loss == pytest.approx(sum(slow) / 3)


# Tian et al. 2021


@pytest.mark.parametrize("variant", ["stop_gradient", "gradient"])
def test_the_expected_loss_is_the_samples(variant: str) -> None:
    options = {"kind": "predictor_dynamics", "dim": 4, "samples": 20000, "variant": variant}
    torch.manual_seed(0)
    losses = []
    for expectation in (True, False):
        o = predictor_dynamics.PredictorDynamics.Options.model_validate(
            {**options, "expectation": expectation}
        )
        model = predictor_dynamics.Linear(o, torch.Generator().manual_seed(0))
        loss = model()
        losses.append([loss.item(), *torch.autograd.grad(loss, model.w)[0].flatten().tolist()])
    assert losses[0] == pytest.approx(losses[1], abs=0.05)


def test_one_mode_follows_its_differential_equation(tmp_path: Path) -> None:
    noise, decay, rate, lr, steps = 0.5, 0.05, 2.0, 5e-3, 400
    o = predictor_dynamics.PredictorDynamics.Options.model_validate(
        {"kind": "predictor_dynamics", "dim": 1, "predictor_rate": rate, "lr": lr, "steps": steps}
    )
    stage = predictor_dynamics.PredictorDynamics(o)
    ctx = context(tmp_path, device=CPU, seed=0, checkpoint_every=1e9)
    start = predictor_dynamics.Linear(
        o, predictor_dynamics.generator(predictor_dynamics.key(0, "stage", "weights"))
    )
    metrics = stage.run(ctx).metrics
    p, s = start.p.item(), start.w.item() ** 2

    def speed(p: float, s: float) -> tuple[float, float]:
        drive = 1 - (1 + noise) * p
        return rate * s * drive - decay * p, 2 * p * s * drive - 2 * decay * s

    for _ in range(steps):  # Heun's method
        a = speed(p, s)
        b = speed(p + lr * a[0], s + lr * a[1])
        p, s = p + lr * (a[0] + b[0]) / 2, s + lr * (a[1] + b[1]) / 2
    assert metrics["top"] == pytest.approx(p, abs=3e-3)
    assert metrics["norm"] == pytest.approx(math.sqrt(s), abs=3e-3)


def test_fixed_points_are_at_rest() -> None:
    points = predictor_dynamics.fixed_points(0.5, 0.05)
    assert points is not None
    for p in points:
        assert p * (1 - 1.5 * p) == pytest.approx(0.05)
    assert predictor_dynamics.fixed_points(0.5, 0.17) is None


# Simon et al. 2023


def test_the_trajectory_solves_the_differential_equation() -> None:
    g, start = torch.tensor([0.7], dtype=torch.float64), torch.tensor([0.01], dtype=torch.float64)
    time = torch.linspace(0, 3, 30001, dtype=torch.float64)
    square = stepwise_barlow.trajectory(time, start, g)
    s = square.sqrt()
    slope = (s[2:] - s[:-2]) / (time[2:] - time[:-2])
    assert torch.allclose(slope, (4 * 0.7 * s * (1 - 0.7 * square))[1:-1], atol=1e-6)
    assert square[0].item() == pytest.approx(1e-4)
    half = stepwise_barlow.half_time(start, g)
    assert (0.7 * stepwise_barlow.trajectory(half, start, g)).item() == pytest.approx(0.5)
    paper = -math.log(1e-4 * 0.7) / (8 * 0.7)
    assert half.item() == pytest.approx(paper, abs=1e-4)


def test_effective_start_ignores_rotations_and_is_the_sizes_when_aligned() -> None:
    w = gaussian(3, 5)
    rotation = torch.linalg.qr(gaussian(3, 3, seed=1)).Q
    start = stepwise_barlow.effective_start(w)
    assert torch.allclose(start, stepwise_barlow.effective_start(rotation @ w))
    assert start[0].item() == pytest.approx(w[:, 0].norm().item())
    sizes = torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)
    assert torch.allclose(stepwise_barlow.effective_start(rotation * sizes), sizes)


def test_crossing_interpolates_and_may_never_come() -> None:
    time = torch.arange(3, dtype=torch.float64)
    values = torch.tensor([0.0, 0.4, 0.8], dtype=torch.float64)
    assert stepwise_barlow.crossing(time, values).item() == pytest.approx(1.25)
    assert stepwise_barlow.crossing(time, values / 2).item() == 2


# Zhu et al. 2022, Yeh et al. 2022, Chuang et al. 2022


def test_tico_is_a_contrast_with_all_that_came_before(tmp_path: Path) -> None:
    metrics = measured(tico_identity.TicoIdentity, tmp_path, samples=5, dim=3, batches=4, beta=0.3)
    assert max(metrics.values()) < 1e-12


def test_tico_s_memory_by_hand() -> None:
    e = torch.eye(2, dtype=torch.float64)
    options = tico_identity.TiCo.Options(name="tico", rho=2.0, beta=0.5)
    past = [e[:1], e[1:], e[:1]]  # weights 1/8, 1/4, 1/2 before the mean; the middle one is orthogonal
    loss = tico_identity.memory_loss(e[:1], e[:1], past, options)
    assert loss.item() == pytest.approx(2 * (1 / 8 + 1 / 2))


def test_dcl_s_formulas_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(2), math.log(3)]], dtype=torch.float64)
    assert dcl_identity.coupling(logits).item() == pytest.approx(5 / 6)
    expected = torch.tensor([[-1, 2 / 5, 3 / 5]], dtype=torch.float64)
    assert torch.allclose(dcl_identity.dcl_gradient(logits), expected)


def test_dcl_s_identities_hold(tmp_path: Path) -> None:
    metrics = measured(dcl_identity.DclIdentity, tmp_path, samples=8, dim=4)
    assert max(metrics["infonce_error"], metrics["dcl_error"], metrics["loss_error"]) < 1e-12
    assert 0 < metrics["coupling"] < 1


@pytest.mark.parametrize("q", [0.01, 0.5, 1.0])
def test_rince_is_the_authors_two_lines(q: float) -> None:
    positive, negative, weight = gaussian(6), gaussian(6, 9, seed=1), 0.025
    pos, neg = positive.exp(), negative.exp().sum(1)
    expected = -(pos**q) / q + (weight * (pos + neg)) ** q / q
    assert torch.allclose(rince_limits.rince(positive, negative, q, weight), expected)


def test_rince_s_pull_is_the_derivative() -> None:
    positive, negative, q, weight = gaussian(6), gaussian(6, 9, seed=1), 0.5, 0.1
    share = positive.exp() / (positive.exp() + negative.exp().sum(1))
    total = weight * (positive.exp() + negative.exp().sum(1))
    expected = (q * positive).exp() - share * total**q
    assert torch.allclose(rince_limits.pull(positive, negative, q, weight), expected)


# Balestriero and LeCun 2022


@pytest.mark.parametrize("inputs", [None, 5])
def test_nothing_lies_below_the_spectral_optimum(inputs: int | None, tmp_path: Path) -> None:
    stage = vicreg_spectral.VicregSpectral
    options: dict[str, Any] = {"points": 12, "dim": 2, "wobble": 0.5, "inputs": inputs}
    assert measured(stage, tmp_path / "start", **options, steps=1)["gap"] > -1e-12
    best = measured(stage, tmp_path / "end", **options, steps=10)
    assert best["gap"] == pytest.approx(0, abs=1e-9)
    assert best["angle"] < 1e-4


def test_the_closed_form_is_the_laplacian_s_bottom() -> None:
    o = vicreg_spectral.VicregSpectral.Options.model_validate({"kind": "v", "points": 9, "wobble": 0.5})
    laplacian = vicreg_spectral.laplacian(o, torch.Generator().manual_seed(0))
    assert torch.allclose(laplacian.sum(1), torch.zeros(9, dtype=torch.float64))
    values, vectors = torch.linalg.eigh(laplacian)
    mu, space = vicreg_spectral.closed_form(laplacian, None, 3)
    assert torch.allclose(mu, values[1:4])
    assert augmentation_graph.outside(vectors[:, 1:4], space) < 1e-9


def test_linear_optimum_solves_the_generalised_problem() -> None:
    o = vicreg_spectral.VicregSpectral.Options.model_validate({"kind": "v", "points": 9, "wobble": 0.5})
    laplacian, x = vicreg_spectral.laplacian(o, torch.Generator().manual_seed(0)), gaussian(9, 4)
    mu, _ = vicreg_spectral.closed_form(laplacian, x, 3)
    centred = x - x.mean(0)
    quotient = np.linalg.eigvals(
        np.linalg.solve((centred.T @ centred).numpy(), (x.T @ laplacian @ x).numpy())
    )
    assert mu.tolist() == pytest.approx(sorted(quotient.real)[:3])
