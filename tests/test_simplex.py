"""Graf et al. 2021: the closed forms against slow evaluations, and the minimisation against the closed forms."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from repro.experiments.supervised_contrastive.simplex import (
    CrossEntropy,
    Simplex,
    SupCon,
    cross_entropy_bound,
    into_ball,
    simplex_geometry,
    supcon_bound,
)
from repro.recipes.load import load
from repro.stages.minimise import lbfgs
from tests.test_engine import context

CPU = torch.device("cpu")


def vertices(k: int) -> np.ndarray:
    """A regular simplex (k, k): the unit vectors of R^k, centred and scaled to norm 1."""
    centred = np.eye(k) - 1 / k
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def slow_supcon(z: np.ndarray, label: list[int], temperature: float) -> float:
    """The mean over anchors of −log p(positive), averaged over the anchor's positives, in loops."""
    losses = []
    for i in range(len(z)):
        similar = [math.exp(float(z[i] @ z[j]) / temperature) for j in range(len(z))]
        below = sum(s for j, s in enumerate(similar) if j != i)
        positives = [j for j in range(len(z)) if j != i and label[j] == label[i]]
        losses.append(-sum(math.log(similar[j] / below) for j in positives) / len(positives))
    return sum(losses) / len(losses)


def slow_cross_entropy(z: np.ndarray, label: list[int], weights: np.ndarray) -> float:
    losses = []
    for x, y in zip(z, label, strict=True):
        scores = [math.exp(float(w @ x)) for w in weights]
        losses.append(-math.log(scores[y] / sum(scores)))
    return sum(losses) / len(losses)


def options(**changes: Any) -> Any:
    values = {"kind": "simplex", "loss": "supcon", "classes": 4, "points": 3, "dim": 3, **changes}
    return Simplex.Options.model_validate(values)


@pytest.mark.parametrize(("k", "n", "temperature"), [(10, 10, 1.0), (10, 10, 0.5), (3, 20, 1.0), (4, 2, 0.1)])
def test_the_supcon_bound_is_the_loss_at_a_regular_simplex(k: int, n: int, temperature: float) -> None:
    z = vertices(k).repeat(n, axis=0)
    label = [i for i in range(k) for _ in range(n)]
    assert supcon_bound(k, n, temperature) == pytest.approx(slow_supcon(z, label, temperature), abs=1e-12)


@pytest.mark.parametrize(("k", "norm"), [(2, 1.0), (10, 10.0), (5, 30.0)])
def test_the_cross_entropy_bound_is_the_loss_at_a_regular_simplex(k: int, norm: float) -> None:
    weights = vertices(k) * norm / math.sqrt(k)
    assert np.linalg.norm(weights) == pytest.approx(norm)
    slow = slow_cross_entropy(vertices(k), list(range(k)), weights)
    assert cross_entropy_bound(k, norm) == pytest.approx(slow, abs=1e-12)


problems = st.fixed_dictionaries(
    {
        "classes": st.integers(2, 5),
        "points": st.integers(2, 4),
        "temperature": st.floats(0.05, 10),
        "weight_norm": st.floats(0.1, 50),
    }
)


@given(problems, st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 100.0]))
@settings(max_examples=100, deadline=None)
def test_nothing_goes_below_the_bounds(values: dict[str, Any], seed: int, scale: float) -> None:
    for problem in (SupCon, CrossEntropy):
        p = problem(options(**values, dim=5), torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for parameter in p.parameters():
                parameter *= scale
        assert p().item() >= p.bound - 1e-12


@given(st.integers(2, 5), st.integers(2, 4), st.floats(0.05, 10), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_perturbed_simplices_lie_above_the_bound(k: int, n: int, temperature: float, seed: int) -> None:
    z = vertices(k).repeat(n, axis=0) + np.random.default_rng(seed).normal(0, 1e-2, (k * n, k))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    label = [i for i in range(k) for _ in range(n)]
    assert slow_supcon(z, label, temperature) >= supcon_bound(k, n, temperature) - 1e-12


def test_cross_entropy_keeps_its_constraints() -> None:
    p = CrossEntropy(options(classes=4, dim=6, weight_norm=2.0), torch.Generator().manual_seed(0))
    with torch.no_grad():
        p.free *= 100
        p.classifier *= 100
    z = p.embeddings().detach().numpy()
    weights = p.classifier.detach().numpy()
    weights *= 2.0 / np.linalg.norm(weights)
    assert np.linalg.norm(z, axis=1) == pytest.approx(1.0)
    assert p().item() == pytest.approx(slow_cross_entropy(z, p.label.tolist(), weights), rel=1e-12)


def test_into_ball_leaves_what_is_inside() -> None:
    x = torch.tensor([[0.3, 0.4], [3.0, 4.0], [0.0, 0.0]])
    assert torch.allclose(into_ball(x, 1.0), torch.tensor([[0.3, 0.4], [0.6, 0.8], [0.0, 0.0]]))


def test_geometry_is_that_of_slow_loops() -> None:
    z = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    means = z.numpy().mean(1)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(means, 2)]
    distances = [np.linalg.norm(x - m) for xs, m in zip(z.numpy(), means, strict=True) for x in xs]
    assert simplex_geometry(z) == pytest.approx(
        {"cosine": max(cosines), "cosine_mean": sum(cosines) / 6, "spread": max(distances)}
    )


@pytest.mark.parametrize("recipe", ["supcon-simplex-toy", "ce-simplex-toy"])
def test_the_recipe_reaches_what_it_expects(recipe: str, tmp_path: Path) -> None:
    loaded = load(recipe)
    metrics = {}
    for name, stage in loaded.stages.items():
        ctx = context(tmp_path / name, stage=name, device=CPU)
        outcome = Simplex(stage).run(ctx)
        metrics |= {f"{name}.{metric}": value for metric, value in outcome.metrics.items()}
        assert outcome.metrics["gap"] == pytest.approx(0, abs=1e-10)
        assert outcome.metrics["spread"] < 1e-4
    for expected in loaded.expected:
        assert metrics[expected.metric] == pytest.approx(expected.target, abs=expected.delta)


def test_starts_differ_by_seed_and_repeat(tmp_path: Path) -> None:
    def first_loss(seed: int) -> float:
        ctx = context(tmp_path / str(seed), seed=seed, device=CPU)
        return Simplex(options(steps=1)).run(ctx).curve[0]["loss"]

    assert first_loss(0) == first_loss(0) != first_loss(1)


def test_l_bfgs_never_makes_it_worse() -> None:
    p = SupCon(options(classes=5, dim=4), torch.Generator().manual_seed(2))
    losses = [lbfgs(p, iterations=3).item() for _ in range(10)]
    assert losses == sorted(losses, reverse=True)


def test_too_few_dimensions_are_told() -> None:
    with pytest.raises(ValidationError, match="needs `dim` of 3 or more"):
        options(classes=4, dim=2)
