"""Sinkhorn distances, noise-contrastive estimation, cl-ica and gradient caching: against closed forms and loops."""

from __future__ import annotations

import math
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.special import iv
from sklearn.linear_model import LinearRegression
from torch import Tensor, nn
from torch.nn import functional as F

from repro import components
from repro.engine.budget import Deadline, Stopped
from repro.engine.setup import set_up
from repro.experiments.contrastive import clica, ica, nce_ica
from repro.experiments.contrastive.clica import Clica
from repro.experiments.contrastive.nce_ica import NceIca
from repro.experiments.kept import Kept
from repro.experiments.other.sinkhorn_limits import (
    SinkhornLimits,
    entropy,
    problem,
    rounded,
    scaled,
    slope_at_zero,
    transport,
)
from repro.experiments.other.sinkhorn_speed import SinkhornSpeed, plain
from repro.experiments.retrieval.gradient_caching import GradientCaching, drawn, gap, perceptron
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")
RECIPES = ("sinkhorn-speed", "nce-ica", "clica-sphere-vmf", "gradcache-equivalence")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ran(experiment: Any, folder: Path, **changes: Any) -> Any:
    changes = {"device": CPU, "setup": set_up("cpu", "fp32"), "checkpoint_every": 1e9, **changes}
    return experiment.run(context(folder, **changes))


@pytest.mark.parametrize("recipe", RECIPES)
def test_smoke_runs_give_every_expected_metric(recipe: str, tmp_path: Path) -> None:
    loaded, metrics = load(recipe), set()
    for name, options in loaded.stages.items():
        stage = components.load(("experiments",), options.kind)
        outcome = ran(stage(stage.smoke(options)), tmp_path / name, stage=name)
        assert all(math.isfinite(value) for value in outcome.metrics.values())
        metrics |= {f"{name}.{metric}" for metric in outcome.metrics}
    # the speeds' names hold the numbers of bins, which are fewer in a smoke run
    assert {e.metric for e in loaded.expected if "speedup" not in e.metric} <= metrics


# Sinkhorn distances


def histograms(bins: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    return problem(bins, seeded(seed))


def test_the_linear_program_of_uniform_histograms_is_an_assignment() -> None:
    _, _, cost = histograms(9)
    uniform = torch.full((9,), 1 / 9, dtype=torch.float64)
    rows, columns = linear_sum_assignment(cost.numpy())
    assert transport(uniform, uniform, cost) == pytest.approx(cost[rows, columns].mean().item(), abs=1e-12)
    small = cost[:4, :4]
    brute = min(small[range(4), list(p)].mean().item() for p in permutations(range(4)))
    quarter = torch.full((4,), 0.25, dtype=torch.float64)
    assert transport(quarter, quarter, small) == pytest.approx(brute, abs=1e-12)


@pytest.mark.parametrize("strength", [0.1, 1.0, 7.0])
def test_two_bins_have_a_table_in_closed_form(strength: float) -> None:
    """For uniform marginals and the cost |i − j| the diagonal is a = ½ σ(λ), the distance 1 − 2a."""
    half, cost = torch.full((2,), 0.5, dtype=torch.float64), 1 - torch.eye(2, dtype=torch.float64)
    expected = 1 / (1 + math.exp(strength))
    table, _, _ = scaled(half, half, cost, strength, torch.zeros_like(half), 1e-14, 1000)
    assert (table * cost).sum().item() == pytest.approx(expected, abs=1e-12)
    assert plain(half, half, cost, strength, 1e-13)[0] == pytest.approx(expected, abs=1e-12)


def test_the_scaled_table_is_optimal_among_tables_with_its_marginals() -> None:
    r, c, cost = histograms(6)
    table, _, _ = scaled(r, c, cost, 5.0, torch.zeros_like(c), 1e-13, 10_000)
    assert torch.allclose(table.sum(1), r, atol=1e-12)
    assert torch.allclose(table.sum(0), c, atol=1e-12)

    def objective(p: Tensor) -> float:
        return (p * cost).sum().item() - entropy(p) / 5

    for seed in range(20):
        move = torch.randn(6, 6, generator=seeded(seed), dtype=torch.float64)
        move -= move.mean(0) + move.mean(1, keepdim=True) - move.mean()
        assert objective(table + table.min() / move.abs().max() * move) > objective(table)


def test_both_forms_of_the_algorithm_agree_and_do_not_depend_on_the_start() -> None:
    r, c, cost = histograms(8)
    table, _, _ = scaled(r, c, cost, 9.0, torch.zeros_like(c), 1e-13, 100_000)
    far, _, _ = scaled(r, c, cost, 9.0, 1e5 + torch.randn(8, generator=seeded(1)).double(), 1e-13, 100_000)
    assert torch.allclose(table, far, atol=1e-11)
    assert plain(r, c, cost, 9.0, 1e-13)[0] == pytest.approx((table * cost).sum().item(), abs=1e-9)


def test_the_slope_at_zero_is_that_of_a_difference() -> None:
    r, c, cost = histograms(7)
    h = 1e-4
    table, _, _ = scaled(r, c, cost, h, torch.zeros_like(c), 1e-15, 100)
    measured = ((table * cost).sum() - r @ cost @ c).item() / h
    assert slope_at_zero(r, c, cost) == pytest.approx(measured, rel=1e-3)
    shifted = cost + torch.arange(7.0).double() + 3 * torch.arange(7.0).double()[:, None]
    assert slope_at_zero(r, c, shifted) == pytest.approx(slope_at_zero(r, c, cost), rel=1e-9)


def test_rounding_gives_the_marginals_and_leaves_a_right_table() -> None:
    r, c, _ = histograms(5)
    table = rounded(torch.rand(5, 5, generator=seeded(2), dtype=torch.float64), r, c)
    assert torch.allclose(table.sum(1), r, atol=1e-15)
    assert torch.allclose(table.sum(0), c, atol=1e-15)
    assert table.min() >= 0
    assert torch.allclose(rounded(torch.outer(r, c), r, c), torch.outer(r, c), atol=1e-15)


def test_sinkhorn_limits_of_small_histograms(tmp_path: Path) -> None:
    values = {"kind": "sinkhorn_limits", "bins": 8, "strengths": (1e-6, 1, 10, 100)}
    metrics = ran(SinkhornLimits(SinkhornLimits.Options.model_validate(values)), tmp_path).metrics
    assert metrics["independence_slope"] == pytest.approx(1, abs=1e-4)
    assert 0 <= metrics["transport_gap"] < math.log(8) / 100
    assert metrics["bound_share"] <= 1
    assert metrics["falling"] == 1
    with pytest.raises(ValidationError, match="must rise"):
        SinkhornLimits.Options.model_validate({**values, "strengths": (2, 1)})


def test_sinkhorn_speed_names_its_sizes(tmp_path: Path) -> None:
    options = SinkhornSpeed.Options(kind="sinkhorn_speed", bins=(8, 12), strength=1)
    metrics = ran(SinkhornSpeed(options), tmp_path).metrics
    assert {"speedup_8", "speedup_12", "iterations_8", "error_12"} <= set(metrics)
    assert metrics["error_8"] > 0


# Noise-contrastive estimation


def test_the_normaliser_makes_a_density() -> None:
    b = np.array([[2.0, 0.5], [-0.3, 1.0]])
    grid = np.linspace(-12, 12, 1201)
    x = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    density = np.exp(-math.sqrt(2) * np.abs(x @ b.T).sum(1) + ica.normaliser(b))
    assert density.sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1, abs=2e-3)


def test_laplacian_sources_have_unit_variance() -> None:
    s = nce_ica.laplacian((200_000,), np.random.default_rng(0))
    assert s.var() == pytest.approx(1, abs=0.02)
    assert np.abs(s).mean() == pytest.approx(math.sqrt(0.5), abs=0.01)


@pytest.mark.parametrize("ratio", [1, 3])
def test_nce_minimises_the_logistic_loss_of_data_against_noise(ratio: int) -> None:
    """The result is a stationary point of a loss written out anew, in the coordinates of B and c."""
    random = np.random.default_rng(1)
    mixing = nce_ica.mixing_matrix(2, 10, random)
    x = nce_ica.laplacian((300, 2), random) @ mixing.T
    covariance = np.cov(x.T)
    half = np.linalg.cholesky(covariance)
    y = random.normal(size=(300 * ratio, 2)) @ half.T

    def loss(theta: np.ndarray) -> float:
        b, c = theta[:4].reshape(2, 2), theta[4]

        def log_ratio(u: np.ndarray) -> np.ndarray:
            model = -math.sqrt(2) * np.sqrt((u @ b.T) ** 2 + ica.SMOOTH**2).sum(1) + c
            inner = np.einsum("ti,ij,tj->t", u, np.linalg.inv(covariance), u)
            noise = -0.5 * (inner + np.log(np.linalg.det(2 * math.pi * covariance)))
            return model - noise - math.log(ratio)

        return float(np.log1p(np.exp(-log_ratio(x))).mean() + ratio * np.log1p(np.exp(log_ratio(y))).mean())

    b, c = ica.nce(x, y, half, [np.linalg.inv(half)])
    theta = np.append(b, c)
    assert np.abs(approx_fprime(theta, loss, 1e-7)).max() < 2e-2
    for _ in range(20):
        assert loss(theta + 0.05 * random.normal(size=5)) > loss(theta)


def test_estimates_move_with_the_mixing_and_likelihood_is_stationary() -> None:
    random = np.random.default_rng(2)
    s, y = nce_ica.laplacian((400, 3), random), random.normal(size=(400, 3))
    mixing = nce_ica.mixing_matrix(3, 5, random)
    half = np.linalg.cholesky(np.cov(s.T))
    plainly, c = ica.nce(s, y @ half.T, half, [np.eye(3)])
    mixed, d = ica.nce(s @ mixing.T, y @ half.T @ mixing.T, mixing @ half, [np.linalg.inv(mixing)])
    assert mixed @ mixing == pytest.approx(plainly, abs=2e-3)
    assert d == pytest.approx(c - math.log(abs(np.linalg.det(mixing))), abs=2e-3)
    b = ica.likelihood(s, [np.eye(3)])  # at the maximum, E[√2 sign(s_i) s_i] = 1 for the estimated sources
    assert math.sqrt(2) * np.abs(s @ b.T).mean(0) == pytest.approx(np.ones(3), abs=1e-3)


def test_alignment_undoes_order_and_sign() -> None:
    random = np.random.default_rng(3)
    mixing = nce_ica.mixing_matrix(3, 10, random)
    b = np.linalg.inv(mixing)
    for order in permutations(range(3)):
        for sign in product([-1, 1], repeat=3):
            assert nce_ica.aligned(np.array(sign)[:, None] * b[list(order)], mixing) == pytest.approx(b)


@pytest.mark.parametrize(("ratio", "mixing", "c"), [(1, 33.3, 13.1), (10, 16.2, 5.46), (10**6, 12.0, 4.0)])
def test_the_asymptotic_errors_that_the_recipe_expects(ratio: float, mixing: float, c: float) -> None:
    """T Σ of four sources by a tenth of the draws, by the general sandwich J⁻¹ V J⁻¹ of the loss's gradient."""
    random = np.random.default_rng(4)

    def weighted(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        score = np.concatenate(
            [(-math.sqrt(2) * np.sign(u)[:, :, None] * u[:, None]).reshape(len(u), 16), np.ones((len(u), 1))],
            1,
        )
        gap = (-math.sqrt(2) * np.abs(u) + u**2 / 2 + math.log(2 * math.pi) / 2 - math.log(2) / 2).sum(1)
        return score, 1 / (1 + np.exp(gap) / ratio)  # the share of noise at u

    s = nce_ica.laplacian((200_000, 4), random)
    g, p = weighted(s)
    hessian = (g * p[:, None]).T @ g / len(s)
    data = g * p[:, None]  # the gradient of a sample; a noise sample's is −g (1 − p), ν of them
    # E_n[g gᵀ (1 − p)²] ν = E_d[g gᵀ p (1 − p)], as ν p_n (1 − p) = p_d p; and likewise the means
    noise = (g * (p * (1 - p))[:, None]).T @ g / len(s) - np.outer(data.mean(0), data.mean(0)) / ratio
    inverse = np.linalg.inv(hessian)
    covariance = inverse @ (np.cov(data.T) + noise) @ inverse
    assert np.trace(covariance[:16, :16]) == pytest.approx(mixing, rel=0.02)
    assert covariance[16, 16] == pytest.approx(c, rel=0.02)


def test_nce_ica_resumes_where_it_stopped(tmp_path: Path) -> None:
    options = NceIca.Options(kind="nce_ica", dim=2, samples=(100, 200), ratios=(1, 2), repeats=4, starts=1)
    whole = ran(NceIca(options), tmp_path / "whole")
    with pytest.raises(Stopped):
        ran(NceIca(options), tmp_path / "parts", deadline=Deadline(1e-9))
    assert ran(NceIca(options), tmp_path / "parts").metrics == whole.metrics


# cl-ica


@pytest.mark.parametrize(("dim", "kappa"), [(3, 1.0), (5, 10.0), (10, 1.0), (2, 4.0)])
def test_von_mises_fisher_has_its_mean_and_symmetry(dim: int, kappa: float) -> None:
    """E cos θ = I_{d/2}(κ)/I_{d/2−1}(κ), and nothing but the mean direction stands out."""
    mean = F.normalize(torch.ones(1, dim), dim=1).expand(40_000, dim)
    z = clica.von_mises_fisher(mean, kappa, seeded())
    assert torch.allclose(z.norm(dim=1), torch.ones(len(z)), atol=1e-5)
    cosine = iv(dim / 2, kappa) / iv(dim / 2 - 1, kappa)
    assert (z * mean).sum(1).mean().item() == pytest.approx(cosine, abs=0.01)
    assert torch.allclose(z.mean(0), cosine * mean[0], atol=0.015)


def test_the_mixing_is_invertible_and_well_conditioned() -> None:
    g = clica.mixing(4, 3, 500, seeded())
    z = torch.randn(20, 4, generator=seeded(1))
    x = g(z)
    for layer in reversed(g):
        if isinstance(layer, nn.Linear):
            assert torch.allclose(layer.weight.norm(dim=0), torch.ones(4))
            assert torch.linalg.cond(layer.weight) < 3
            x = torch.linalg.solve(layer.weight, x.T).T
        else:
            x = torch.where(x < 0, x / 0.2, x)
    assert torch.allclose(x, z, atol=1e-4)
    assert not any(p.requires_grad for p in g.parameters())


def test_info_nce_is_that_of_loops() -> None:
    logits = torch.randn(5, 5, generator=seeded())
    slow = [-math.log(math.exp(row[i]) / sum(map(math.exp, row))) for i, row in enumerate(logits.tolist())]
    assert clica.info_nce(logits).item() == pytest.approx(sum(slow) / 5)


def test_r2_is_that_of_scikit_learn() -> None:
    z = torch.randn(200, 3, generator=seeded())
    x = torch.tanh(z @ torch.randn(3, 3, generator=seeded(1))) + 0.3 * torch.randn(
        200, 3, generator=seeded(2)
    )
    fitted = LinearRegression().fit(x.numpy(), z.numpy()).score(x.numpy(), z.numpy())
    assert clica.r2(z, x) == pytest.approx(100 * fitted, abs=1e-3)
    assert clica.r2(z, z @ torch.randn(3, 3, generator=seeded(3)) + 5) == pytest.approx(100, abs=1e-3)


def test_info_nce_is_least_where_the_latents_are_recovered_up_to_a_rotation() -> None:
    """Theorem 2 with κ = 1/τ: any rotation does as well as the latents, and what warps them does worse."""
    z = F.normalize(torch.randn(1500, 3, generator=seeded(), dtype=torch.float64), dim=1)
    positive = clica.von_mises_fisher(z, 10.0, seeded(1))

    def loss(h: Any) -> float:
        return clica.info_nce(F.normalize(h(z), dim=1) @ F.normalize(h(positive), dim=1).T * 10).item()

    least = loss(lambda x: x)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=seeded(2), dtype=torch.float64)).Q
    assert loss(lambda x: x @ rotation) == pytest.approx(least, abs=1e-12)
    stretch = torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    warps = (lambda x: x * stretch, lambda x: x + 0.3 * x.abs(), lambda x: x**3, lambda x: x.abs())
    assert all(loss(warp) > least + 0.01 for warp in warps)


def test_clica_learns_and_repeats(tmp_path: Path) -> None:
    values = {"kind": "clica", "dim": 3, "spread": 10, "temperature": 0.1, "draws": 100, "hidden": (32, 32)}
    stage = Clica(Clica.Options.model_validate({**values, "steps": 100, "samples": 64, "lr": 3e-3}))
    first, second = (ran(stage, tmp_path / name) for name in "ab")
    assert first.metrics == second.metrics
    assert first.curve[-1]["loss"] < first.curve[0]["loss"] - 0.5


def test_clica_resumes_where_it_stopped(tmp_path: Path) -> None:
    options = Clica.smoke(Clica.Options(kind="clica", dim=3))
    whole = ran(Clica(options), tmp_path / "whole").metrics
    with pytest.raises(Stopped):
        ran(Clica(options), tmp_path / "parts", deadline=Deadline(1e-9))
    assert ran(Clica(options), tmp_path / "parts").metrics == whole


# Gradient caching


def caching(**changes: Any) -> GradientCaching:
    values = {"kind": "gradient_caching", "inputs": 6, "hidden": (10,), "out": 5, "pairs": 12, "chunk": 3}
    return GradientCaching(GradientCaching.Options.model_validate({**values, "repeats": 1, **changes}))


@pytest.mark.parametrize("chunk", [1, 3, 4, 6])
def test_cached_gradients_are_those_of_the_whole_batch(chunk: int, tmp_path: Path) -> None:
    metrics = ran(caching(chunk=chunk), tmp_path).metrics
    assert metrics["gradient_gap"] < 1e-14
    assert metrics["loss_gap"] < 1e-14
    assert metrics["accumulation_gap"] > 0.01
    assert metrics["kept_share"] == chunk / 12


def test_one_chunk_is_the_whole_batch(tmp_path: Path) -> None:
    metrics = ran(caching(chunk=12), tmp_path).metrics
    assert metrics["gradient_gap"] == metrics["loss_gap"] == metrics["accumulation_gap"] == 0
    assert metrics["kept_share"] == metrics["peak_share"] == 1


def test_the_step_computes_info_nce_and_its_gradient(tmp_path: Path) -> None:
    """Against a plain evaluation of the loss in functional form, with torch's own gradient."""
    stage = caching()
    made: dict[str, Any] = {}
    original = stage._step

    def step(ctx: Any, *args: Any) -> Any:
        made.setdefault("first", (ctx, original(ctx, *args)))
        return made["first"][1] if not args[1:] else original(ctx, *args)

    stage._step = step  # type: ignore[method-assign]
    ran(stage, tmp_path)
    ctx, first = made["first"]
    from repro.keys import generator, key

    torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
    query, passage = perceptron((6, 10, 5)).double(), perceptron((6, 10, 5)).double()
    views = drawn(12, 6, generator(key(ctx.seed, ctx.stage, "pairs")))
    q, p = (net(views[:, i]) for i, net in enumerate((query, passage)))
    logits = (q / q.norm(dim=1, keepdim=True)) @ (p / p.norm(dim=1, keepdim=True)).T / 0.1
    loss = (torch.logsumexp(logits, 1) - logits.diag()).mean()
    gradients = torch.autograd.grad(loss, [*query.parameters(), *passage.parameters()])
    assert first["loss"] == pytest.approx(loss.item(), abs=1e-13)
    assert gap(first["gradients"], list(gradients)) < 1e-13


def test_kept_counts_a_tensor_once_and_forgets_what_is_freed() -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    x = torch.randn(5, 4)
    with (kept := Kept(net.parameters())):
        y = net(x).sum()  # kept: x (5, 4) and the ReLU's output (5, 6), which the next layer takes too
        assert kept.now["all"] == kept.now["loss"] == 4 * (5 * 4 + 5 * 6)
        y.backward()
        del y
        assert kept.now["all"] == 0
        net(x[:1]).sum().backward()
    assert kept.most["all"] == 4 * (5 * 4 + 5 * 6)


def test_chunks_must_divide_the_batch() -> None:
    with pytest.raises(ValidationError, match="must divide"):
        caching(chunk=5)
