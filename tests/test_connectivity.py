"""Shen et al. 2022: the graph of classes and domains by hand, its eigenvalues, and the head by other means."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repro.experiments.contrastive.augmentation_graph import normalised
from repro.experiments.domain_adaptation.domain_graph import DomainGraph, blocks, connections, drawn, percent
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")
weight = st.floats(0.02, 0.5)


def measured(folder: Path, **options: Any) -> dict[str, float]:
    ctx = context(folder, device=CPU, checkpoint_every=1e9, picture=lambda name: folder / name)
    chosen = DomainGraph.Options.model_validate({"kind": "domain_graph", "steps": 3, **options})
    return DomainGraph(chosen).run(ctx).metrics


def test_blocks_and_connections_by_hand() -> None:
    label, domain = blocks(2, 3, 2)
    pairs = [(c, d) for c, d in product(range(2), range(3)) for _ in range(2)]
    assert list(zip(label.tolist(), domain.tolist(), strict=True)) == pairs
    found = connections((0.5, 0.4, 0.3, 0.2), label, domain)
    for i, (c, d) in enumerate(pairs):
        for j, (other, where) in enumerate(pairs):
            expected = {(True, True): 0.5, (True, False): 0.4, (False, True): 0.3, (False, False): 0.2}
            assert found[i, j].item() == expected[c == other, d == where]


@given(weight, weight, weight, weight, st.integers(2, 4), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_the_eigenvalues_are_those_in_the_recipe(
    rho: float, alpha: float, beta: float, gamma: float, classes: int, domains: int
) -> None:
    label, domain = blocks(classes, domains, 1)
    joint = connections((rho, alpha, beta, gamma), label, domain)
    xor = rho - alpha - beta + gamma
    of_class, of_domain = xor + domains * (alpha - gamma), xor + classes * (beta - gamma)
    both = joint.sum(1)[0].item()
    expected = [both, *[of_class] * (classes - 1), *[of_domain] * (domains - 1)]
    expected += [xor] * ((classes - 1) * (domains - 1))
    found = both * torch.linalg.eigvalsh(normalised(joint / joint.sum()))
    assert sorted(found.tolist()) == pytest.approx(sorted(expected), abs=1e-9)
    assert both == pytest.approx(
        rho + (domains - 1) * alpha + (classes - 1) * beta + (classes - 1) * (domains - 1) * gamma
    )


def test_edges_are_drawn_with_their_probabilities() -> None:
    label, domain = blocks(2, 2, 60)
    probability = connections((0.6, 0.3, 0.2, 0.1), label, domain)
    edges = drawn(probability, torch.Generator().manual_seed(0))
    assert torch.equal(edges, edges.T) and torch.equal(edges.diagonal(), torch.ones(240, dtype=torch.float64))
    assert set(edges.unique().tolist()) == {0.0, 1.0}
    upper = torch.ones_like(edges).triu(1).bool()
    for p in (0.6, 0.3, 0.2, 0.1):
        some = edges[upper & (probability == p)]
        assert some.mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / len(some)) ** 0.5)


def margin_on_the_target(weights: tuple[float, float, float, float]) -> float:
    """From the contrasts of the 2 × 2 graph and numpy's least squares: no optimisation, no eigenvalue routine."""
    rho, alpha, beta, gamma = weights
    label, domain = np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])
    contrasts = {
        "constant": (np.ones(4), rho + alpha + beta + gamma),
        "class": (label, rho + alpha - beta - gamma),
        "domain": (domain, rho - alpha + beta - gamma),
        "xor": (label * domain, rho - alpha - beta + gamma),
    }
    kept = sorted(contrasts.values(), key=lambda contrast: -contrast[1])[:3]
    f = np.stack([vector * max(value, 0.0) ** 0.5 for vector, value in kept], 1)
    head = np.linalg.lstsq(f[domain == 1], label[domain == 1], rcond=None)[0]
    return float((f @ head * label)[domain == -1].mean())


@given(st.permutations([0.3, 0.2, 0.1]), st.floats(0.45, 0.9))
@settings(max_examples=6, deadline=None)
def test_the_head_transfers_as_the_contrasts_say(
    tmp_path_factory: Any, order: list[float], rho: float
) -> None:
    weights = (rho, *order)
    metrics = measured(tmp_path_factory.mktemp("run"), weights=weights)
    expected = margin_on_the_target(weights)
    assert metrics["transfer"] == pytest.approx(expected, abs=1e-5)
    assert metrics["target_error"] == (0 if expected > 0 else 100)
    assert metrics["source_error"] == 0
    assert metrics["gap"] == pytest.approx(0, abs=1e-9)


@given(st.floats(0.05, 0.3), st.floats(0.05, 0.3), st.floats(0.05, 0.3))
def test_alpha_above_gamma_is_what_the_least_norm_head_needs(alpha: float, beta: float, gamma: float) -> None:
    assume(min(abs(alpha - gamma), abs(beta - gamma), abs(alpha - beta)) > 1e-3)
    assert (margin_on_the_target((1.0, alpha, beta, gamma)) > 0) == (alpha > gamma)


def test_drawn_graphs_behave_as_their_expectation(tmp_path: Path) -> None:
    near = measured(tmp_path, weights=(0.6, 0.35, 0.35, 0.05), nodes=40)
    assert near["target_error"] < 5 and near["domain_error"] < 5
    far = measured(tmp_path, weights=(0.6, 0.05, 0.35, 0.35), nodes=40)
    assert far["target_error"] > 95 and far["source_error"] < 5 and far["domain_error"] < 5
    assert (tmp_path / "features.svg").exists()


def test_more_classes_and_domains_have_as_many_features_as_contrasts(tmp_path: Path) -> None:
    metrics = measured(tmp_path, weights=(0.6, 0.3, 0.2, 0.1), classes=3, domains=3)
    assert metrics["target_error"] == metrics["domain_error"] == 0
    assert metrics["transfer"] == pytest.approx(1, abs=1e-5)


def test_percent_counts_the_true_ones() -> None:
    assert percent(torch.tensor([True, False, False, False])) == 25


def test_the_numbers_in_the_recipe_are_the_contrasts() -> None:
    recipe = load("connect-sbm-toy")
    found = {e.metric: e.target for e in recipe.expected if e.metric.endswith("transfer")}
    stages: dict[str, Any] = {metric: recipe.stages[metric.split(".")[0]] for metric in found}
    expected = {metric: margin_on_the_target(stage.weights) for metric, stage in stages.items()}
    assert found == pytest.approx(expected) and len(found) == 4
