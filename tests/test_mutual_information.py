"""Mutual information of Gaussians: bounds against slow loops, exact critics against closed forms, restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import roots_genlaguerre
from torch import Tensor

from repro.engine.budget import Deadline, Stopped
from repro.experiments.mutual_information.information import bounds
from repro.experiments.mutual_information.information.critics import CRITICS, circulant
from repro.experiments.mutual_information.information.estimators import DEMI, ESTIMATORS, Mine
from repro.experiments.mutual_information.information.gaussians import Gaussians, correlation
from repro.experiments.mutual_information.mutual_information import MutualInformation, draw
from repro.papers.load import paper
from tests.test_engine import context

CPU = torch.device("cpu")
RELATIVE = bounds.Relative(alpha=0.3, beta=0.2, gamma=0.9)


def options(**changes: Any) -> Any:
    values = {
        "kind": "mutual_information",
        "dim": 2,
        "estimators": ["infonce"],
        "samples": 8,
        "width": 8,
        **changes,
    }
    if "rho" not in changes and "information" not in changes:
        values["rho"] = 0.5
    return MutualInformation.Options.model_validate({"steps": 4, "trials": 3, **values})


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_donsker_varadhan(scores: list[list[float]]) -> float:
    apart = [math.exp(s) for row in scores for s in row[1:]]
    return sum(row[0] for row in scores) / len(scores) - math.log(sum(apart) / len(apart))


def slow_nwj(scores: list[list[float]]) -> float:
    """E f − e^(−1) E e^f with f = 1 + T, as Tschannen et al. write it."""
    apart = [math.exp(1 + s) for row in scores for s in row[1:]]
    return sum(1 + row[0] for row in scores) / len(scores) - sum(apart) / len(apart) / math.e


def slow_infonce(scores: list[list[float]]) -> float:
    return sum(
        math.log(math.exp(row[0]) / (sum(math.exp(s) for s in row) / len(row))) for row in scores
    ) / len(scores)


def slow_relative(scores: list[list[float]]) -> float:
    joint, apart = [row[0] for row in scores], [s for row in scores for s in row[1:]]
    return (
        sum(joint) / len(joint)
        - 0.3 * sum(apart) / len(apart)
        - 0.2 / 2 * sum(s**2 for s in joint) / len(joint)
        - 0.9 / 2 * sum(s**2 for s in apart) / len(apart)
    )


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (bounds.donsker_varadhan, slow_donsker_varadhan),
        (bounds.nwj, slow_nwj),
        (bounds.infonce, slow_infonce),
        (RELATIVE.objective, slow_relative),
    ],
)
def test_bounds_are_those_of_slow_loops(
    fast: Callable[[Tensor], Tensor], slow: Callable[[list[list[float]]], float]
) -> None:
    scores = torch.randn(5, 4, generator=random(), dtype=torch.float64)
    assert fast(scores).item() == pytest.approx(slow(scores.tolist()), abs=1e-12)


def test_the_conditional_bound_is_that_of_slow_loops() -> None:
    scores, part = torch.randn(2, 5, 4, generator=random(), dtype=torch.float64)
    total = 0.0
    for t, g in zip(scores.tolist(), part.tolist(), strict=True):
        weights = [math.exp(w) / sum(math.exp(v) for v in g[1:]) for w in g[1:]]
        below = sum(w * math.exp(s) for w, s in zip(weights, t[1:], strict=True))
        total += math.log(math.exp(t[0]) / ((math.exp(t[0]) + 3 * below) / 4))
    assert bounds.conditional(scores, part).item() == pytest.approx(total / 5, abs=1e-12)
    equal = torch.zeros_like(part)
    assert bounds.conditional(scores, equal).item() == pytest.approx(bounds.infonce(scores).item())


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 200), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_nothing_contrastive_goes_above_log_n(rows: int, n: int, scale: float, seed: int) -> None:
    scores, part = torch.randn(2, rows, n, generator=random(seed)) * scale
    scores[:, 0] += scale
    for value in (bounds.infonce(scores), bounds.conditional(scores, part)):
        assert value.item() <= math.log(n)


def test_the_relative_critic_is_the_best_and_gives_the_ratio_back() -> None:
    log_ratio = torch.linspace(-4, 4, 50, dtype=torch.float64)
    best = RELATIVE.critic(log_ratio)
    inside = log_ratio > math.log(2e-4)
    assert torch.allclose(RELATIVE.log_ratio(best)[inside], log_ratio[inside])
    assert RELATIVE.log_ratio(RELATIVE.critic(torch.tensor(25.0))).item() == pytest.approx(25, abs=1e-3)
    assert RELATIVE.log_ratio(torch.tensor([5.0, 6.0])).isfinite().all()  # at 1/β, and past it
    f = best.clone().requires_grad_()
    r = log_ratio.exp()  # the integrand of the objective under Q
    (r * f - 0.3 * f - 0.1 * r * f**2 - 0.45 * f**2).sum().backward()
    assert f.grad is not None and f.grad.abs().max() < 1e-12


@pytest.mark.parametrize("shared", [None, -0.5])
def test_the_log_ratio_is_that_of_the_densities(shared: float | None) -> None:
    source = Gaussians(3, 0.9, shared)
    x, y = source.sample(4, random())
    rho, variance = (0.9, 1.0) if shared is None else (0.2, 2.0)

    def log_density(v: np.ndarray, covariance: np.ndarray) -> float:
        scaled = v @ np.linalg.inv(covariance) @ v
        return float(-scaled / 2 - np.linalg.slogdet(2 * np.pi * covariance)[1] / 2)

    joint, alone = variance * np.array([[1, rho], [rho, 1]]), variance * np.eye(1)
    for i in range(4):
        for j in range(4):
            slow = 0.0
            for a, b in zip(x[i].tolist(), y[j].tolist(), strict=True):
                slow += log_density(np.array([a, b]), joint)
                slow -= log_density(np.array([a]), alone) + log_density(np.array([b]), alone)
            assert source.log_ratio(x, y)[i, j].item() == pytest.approx(slow, abs=1e-4)
    assert source.information == pytest.approx(-3 / 2 * math.log(1 - rho**2))


@pytest.mark.parametrize("dependent", [False, True])
def test_samples_have_the_covariance(dependent: bool) -> None:
    source = Gaussians(2, 0.9, -0.5, dependent)
    batches = [torch.stack(source.sample(2, random(seed)))[:, 0, 0] for seed in range(4000)]
    covariance = np.cov(torch.stack(batches).T.numpy())
    assert covariance == pytest.approx(np.array([[2, 0.4], [0.4, 2]]), abs=0.15)
    x, y = source.sample(4000, random(0))
    within = 0.9 if dependent else 0.2
    assert np.corrcoef(x[:, 0], y[:, 0])[0, 1] == pytest.approx(within, abs=0.05)


@pytest.mark.parametrize(("dim", "rho"), [(1, 0.5), (2, 0.8), (4, 0.3)])
def test_exact_critics_give_the_closed_form(dim: int, rho: float) -> None:
    source = Gaussians(dim, rho)
    x, y = source.sample(2000, random(1))
    scores = source.log_ratio(x, y).gather(1, circulant(2000, 2000, CPU))
    error = 4 * scores[:, 0].std().item() / math.sqrt(2000)
    for bound in (bounds.donsker_varadhan, bounds.nwj):
        assert bound(scores).item() == pytest.approx(source.information, abs=error)
    # InfoNCE: I − log(1 + (e^(2I) − 1)/N) ≤ its mean ≤ I
    slack = math.log1p(math.expm1(2 * source.information) / 64)
    value = bounds.infonce(scores[:, :64]).item() - source.information
    assert -slack - error <= value <= error


@pytest.mark.parametrize("d", [2, 20])
def test_the_log_ratio_of_pairs_is_a_difference_of_chi_squares(d: int) -> None:
    """log r = I + ρ/2 (A − B), A and B χ² with d degrees of freedom: the recipes' derivations rest on it."""
    source = Gaussians(d, 0.7)
    x, y = source.sample(5000, random(3))
    ratio = source.log_ratio(x, y).diagonal().numpy()
    a, b = np.random.default_rng(0).chisquare(d, (2, 50_000))
    other = source.information + 0.7 / 2 * (a - b)
    assert np.quantile(ratio, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(other, [0.1, 0.5, 0.9]), abs=0.2)
    assert ratio.std() == pytest.approx(0.7 * math.sqrt(d), rel=0.05)


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_scores_all_pairs_alike(name: str) -> None:
    critic = CRITICS[name](3, 2, 8, 2, 5)
    x, y, order = torch.randn(6, 3), torch.randn(6, 2), circulant(6, 4, CPU)
    scores = critic.among(x, y, order)
    assert torch.allclose(scores, critic(x, y[order]), atol=1e-6)
    for i in range(6):
        for m in range(4):
            assert torch.allclose(scores[i, m], critic(x[i][None], y[None, None, (i + m) % 6]), atol=1e-6)


def test_mine_divides_by_the_moving_average() -> None:
    mine = Mine(options(estimators=["mine"], average=0.25), Gaussians(2, 0.5))
    x, y = Gaussians(2, 0.5).sample(8, random())
    mine.loss(x, y)
    before = mine.log_average.exp().item()
    mine.zero_grad()
    mine.loss(x, y).backward()
    found = [p.grad.clone() for p in mine.parameters() if p.grad is not None]
    scores = mine.net.among(x, y, circulant(8, 8, CPU))
    mean = scores[:, 1:].exp().mean()
    mine.zero_grad()
    (mean / (0.75 * before + 0.25 * mean.item()) - scores[:, 0].mean()).backward()
    for ours, slow in zip(found, mine.parameters(), strict=True):
        assert slow.grad is not None and torch.allclose(ours, slow.grad, atol=1e-6)


def test_demi_draws_its_negatives_given_the_first_half() -> None:
    source = Gaussians(4, 0.8)
    demi = DEMI(options(dim=4, estimators=["demi"], rho=0.8), source)
    x, y = source.sample(2000, random())
    drawn = demi.negatives(x, y, circulant(2000, 2, CPU)[:, 1:], random(1))[:, 0]
    both = np.corrcoef(x.numpy().T, drawn.numpy().T)[:4, 4:]
    assert both == pytest.approx(np.diag([0.8, 0.8, 0, 0]), abs=0.08)


def test_demi_with_exact_critics_passes_log_n_and_stays_below_the_truth(tmp_path: Path) -> None:
    o = options(dim=20, information=6.0, estimators=["demi", "infonce"], samples=32, steps=1, trials=20)
    found = MutualInformation(o).run(context(tmp_path, device=CPU)).metrics
    assert found["max_infonce_exact"] <= math.log(32) < found["demi_bound_exact"] <= 2 * math.log(32)
    assert found["gap_demi_bound_exact"] < 0


def test_training_comes_near_the_truth(tmp_path: Path) -> None:
    names = ["mine", "nwj", "infonce"]
    o = options(dim=1, rho=0.8, estimators=names, samples=64, steps=200, trials=40, width=32)
    found = MutualInformation(o.model_copy(update={"optimizer": o.optimizer.model_copy(update={"lr": 5e-3})}))
    metrics = found.run(context(tmp_path, device=CPU, checkpoint_every=1e9)).metrics
    for name in names:
        assert -0.15 < metrics[f"gap_{name}"] < 0.03
        assert abs(metrics[f"gap_{name}_exact"]) < 0.03


def test_a_restart_gives_the_same_numbers(tmp_path: Path) -> None:
    stage = MutualInformation(options(dim=4, estimators=list(ESTIMATORS), steps=6))
    whole = stage.run(context(tmp_path / "whole", device=CPU))
    for _ in range(5):
        with pytest.raises(Stopped):
            stage.run(context(tmp_path / "pieces", device=CPU, deadline=Deadline(0.0)))
    pieces = stage.run(context(tmp_path / "pieces", device=CPU, deadline=Deadline(0.0)))
    assert whole.metrics == pieces.metrics and whole.curve == pieces.curve


def test_seeds_and_stages_have_samples_of_their_own(tmp_path: Path) -> None:
    stage, found = MutualInformation(options()), []
    others: list[dict[str, Any]] = [{}, {"seed": 4}, {"stage": "other"}, {}]
    for number, changes in enumerate(others):
        ctx = context(tmp_path / str(number), device=CPU, **changes)
        found.append(stage.run(ctx).metrics["infonce"])
    assert found[0] == found[3] and len(set(found)) == 3


def test_a_later_stage_goes_on_with_the_critics(tmp_path: Path) -> None:
    where = {"device": CPU, "of": lambda stage: tmp_path / "first" / "stage"}
    MutualInformation(options(steps=50)).run(context(tmp_path / "first", **where))
    on = options(of="stage", steps=1, optimizer={"name": "adam", "lr": 1e-12})
    new = options(steps=1, optimizer={"name": "adam", "lr": 1e-12})
    losses = [
        MutualInformation(o).run(context(tmp_path / str(i), **where)).curve[0]["loss"]
        for i, o in enumerate([on, new])
    ]
    assert losses[0] != losses[1]


def test_information_or_rho(tmp_path: Path) -> None:
    rho = correlation(3.0, 20)
    assert Gaussians(20, rho).information == pytest.approx(3.0)
    x, y = draw(Gaussians(20, rho), random(), 3, CPU)
    assert x.shape == y.shape == (3, 20)
    metrics = MutualInformation(options(information=1.0)).run(context(tmp_path, device=CPU)).metrics
    assert metrics["information"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rho": 0.5, "information": 1.0}, "needs one of `rho` and `information`"),
        ({"rho": None}, "needs one of `rho` and `information`"),
        ({"candidates": 9}, "`candidates` must not be more than `samples`"),
        ({"dependent": True}, "`dependent` needs `shared`"),
        ({"dim": 3, "estimators": ["demi"]}, "even `dim`"),
        ({"rho": 1.0}, "less than 1"),
        ({"estimators": []}, "at least 1 item"),
        ({"estimators": ["mime"]}, "'mine'"),
    ],
)
def test_impossible_options_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options(**changes)


def mean_over_pairs(value: Callable[[np.ndarray], np.ndarray], d: int, information: float) -> float:
    """E_P of a function of log r = I + ρ (A − B), A and B of Gamma(d/2), by Gauss–Laguerre quadrature."""
    nodes, weights = roots_genlaguerre(100, d / 2 - 1)
    weights /= weights.sum()
    log_ratio = information + correlation(information, d) * (nodes[:, None] - nodes)
    return float(weights @ value(log_ratio) @ weights)


def saturated(n: int, d: int, information: float) -> float:
    """log N − E log(1 + (N − 1)/r)."""
    rest = mean_over_pairs(lambda log_ratio: np.logaddexp(0, math.log(n - 1) - log_ratio), d, information)
    return math.log(n) - rest


def mean_critic(information: float) -> float:
    """What the inverse of RPC's mean critic tends to, with the weights of the authors' code."""
    code = bounds.Relative(0.01, 0.005, 0.995)
    mean = mean_over_pairs(lambda t: code.critic(torch.from_numpy(t)).numpy(), 20, information)
    return code.log_ratio(torch.tensor(mean, dtype=torch.float64)).item()


def closed_forms(slug: str) -> list[float]:
    information = Gaussians(20, 0.9).information
    if slug == "oord2018-cpc":
        ends = [v for n in (16, 128, 512) for v in (math.log(n), math.log(n), saturated(n, 20, information))]
        small = [(20, 0.2, 512), (2, 0.5, 128)]
        truths = [Gaussians(d, rho).information for d, rho, _ in small]
        slacks = [-math.log1p(math.expm1(2 * t) / n) for t, (_, _, n) in zip(truths, small, strict=True)]
        return ends + truths + slacks
    if slug == "tsai2021-rpc":
        steps = [2.0, 4.0, 6.0, 8.0, 10.0]
        return steps + [mean_critic(step) for step in steps] + [math.log(128)]
    if slug == "sordoni2021-demi":
        return [math.log(128), 0.0] + [2 * saturated(128, 10, i / 2) for i in (6.0, 8.0, 10.0)]
    return [Gaussians(d, rho).information for d, rho in [(20, 0.9), (2, 0.9), (2, 0.5), (2, 0.99), (20, 0.5)]]


@pytest.mark.parametrize("slug", ["belghazi2018-mine", "oord2018-cpc", "tsai2021-rpc", "sordoni2021-demi"])
def test_the_derived_numbers_are_the_closed_forms(slug: str) -> None:
    derived = [r.value for r in paper(slug).reported if r.evidence == "derived"]
    assert derived == pytest.approx(closed_forms(slug), abs=1e-6)
