"""Agliari et al. 2023: patterns, dynamics, self-consistency and threshold, by slow loops and by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.optimize import brentq

from repro.experiments.energy_or_hebbian import multitasking_hopfield as experiment
from repro.experiments.energy_or_hebbian import multitasking_threshold
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measured(folder: Path, seed: int = 0, **options: Any) -> dict[str, float]:
    stage = experiment.MultitaskingHopfield
    ctx = context(folder, device=CPU, seed=seed, picture=lambda name: folder / name, checkpoint_every=1e9)
    return stage(stage.Options.model_validate({"kind": "m", **options})).run(ctx).metrics


def test_patterns_are_diluted_and_nested() -> None:
    some, more = (experiment.diluted(3, 20_000, d, generator()) for d in (0.3, 0.6))
    assert some.unique().tolist() == [-1, 0, 1]
    assert (some == 0).float().mean(1).tolist() == pytest.approx([0.3] * 3, abs=0.015)
    assert some.mean(1).tolist() == pytest.approx([0] * 3, abs=0.03)
    assert torch.equal(more[more != 0], some[more != 0])


def test_a_spin_follows_the_first_pattern_that_holds_it() -> None:
    patterns = torch.tensor([[1.0, 0, 0, 0], [-1, -1, 0, 0], [-1, 1, 1, 0]])
    assert experiment.beginning(patterns, "hierarchical", generator())[:3].tolist() == [1, -1, 1]
    assert experiment.beginning(patterns, "first", generator())[0] == 1
    drawn = torch.stack([experiment.beginning(patterns, "first", generator(s)) for s in range(40)])
    assert drawn.mean(0)[0] == 1 and drawn.mean(0)[1:].abs().max() < 1


def test_fields_are_those_of_the_couplings() -> None:
    """One sweep at T = 0 against a loop with the matrix J, in the same order and groups."""
    n, k = 100, 3
    patterns = experiment.diluted(k, n, 0.4, generator())
    start = experiment.beginning(patterns, "random", generator(1))
    network = experiment.Network(patterns, start)
    torch.manual_seed(5)
    network.sweep(0.0)
    torch.manual_seed(5)
    order = torch.randperm(n)
    couplings = patterns.T @ patterns / n
    couplings.fill_diagonal_(0)
    spins = start.clone()
    for group in order.chunk(experiment.GROUPS):
        field = couplings @ spins
        for i in group.tolist():
            if abs(field[i]) > 1e-6:
                spins[i] = 1.0 if field[i] > 0 else -1.0
    held = patterns.any(0)
    assert torch.equal(network.spins[held], spins[held])


def test_with_noise_a_spin_in_a_field_has_its_thermal_mean() -> None:
    n, noise = 40_000, 0.7
    patterns = torch.ones(1, n)
    network = experiment.Network(patterns, torch.ones(n))
    torch.manual_seed(0)
    for _ in range(30):
        m = network.sweep(noise)
    expected = brentq(lambda x: x - math.tanh(x / noise), 0.1, 1)
    assert m.item() == pytest.approx(expected, abs=0.02)


def test_the_equations_by_hand() -> None:
    m = experiment.solution(torch.tensor([0.6, 0.3]).double(), 0.4, 0.0)
    assert m.tolist() == pytest.approx([0.6, 0.24])
    m = experiment.solution(torch.tensor([0.5]).double(), 0.2, 0.3)
    assert m.item() == pytest.approx(0.8 * math.tanh(m.item() / 0.3))
    above = experiment.solution(torch.tensor([0.5, 0.1]).double(), 0.4, 0.7)
    assert above.abs().max() < 1e-9  # T > 1 − d


def test_mild_dilution_is_hierarchical(tmp_path: Path) -> None:
    metrics = measured(tmp_path, spins=20_000, patterns=3, dilution=0.3, start="first", sweeps=10)
    assert [metrics[f"m_{k}"] for k in (1, 2, 3)] == pytest.approx([0.7, 0.21, 0.063], abs=0.02)
    assert metrics["hierarchy_error"] < 0.02 and metrics["theory_error"] < 0.02
    assert metrics["spread"] == pytest.approx(1 - metrics["m_3"] / metrics["m_1"])
    assert (tmp_path / "overlaps.svg").exists()


def test_strong_dilution_with_noise_is_parallel(tmp_path: Path) -> None:
    options = {"spins": 100_000, "patterns": 3, "dilution": 0.9, "noise": 0.05, "sweeps": 24}
    metrics = measured(tmp_path, start="first", **options)
    assert metrics["spread"] < 0.15
    assert metrics["m_2"] == pytest.approx(0.085291, abs=0.005)


def test_beyond_the_threshold_the_hierarchy_falls(tmp_path: Path) -> None:
    below, above = (
        measured(tmp_path / str(d), spins=20_000, patterns=4, dilution=d, sweeps=6) for d in (0.5, 0.65)
    )
    assert below["moved"] == 0 and above["moved"] > 0.01


def test_the_threshold_is_where_the_first_pattern_no_longer_outweighs_the_others(tmp_path: Path) -> None:
    stage = multitasking_threshold.MultitaskingThreshold
    options = stage.Options(kind="t", spins=100_000, patterns=(3, 4))
    metrics = stage(options).run(context(tmp_path, device=CPU)).metrics
    for k in (3, 4):
        expected = brentq(lambda d, k=k: (1 - d) - sum((1 - d) * d**j for j in range(1, k)), 0.4, 0.9)
        assert metrics[f"threshold_{k}"] == pytest.approx(expected, abs=0.02)


def test_a_spin_against_its_field_is_told() -> None:
    patterns = torch.tensor([[1.0, 1, 1, 0], [0, 0, 1, 1]])
    assert multitasking_threshold.stable(patterns, torch.tensor([1.0, 1, 1, 1]))
    assert not multitasking_threshold.stable(patterns, torch.tensor([1.0, 1, -1, 1]))


def test_the_numbers_in_the_recipe() -> None:
    expected = {e.metric: e.value for e in load("multitasking-hopfield").expected}
    for k in (3, 4, 5, 6):
        root = brentq(lambda d, k=k: 1 - 2 * d + d**k, 0.4, 0.9)
        assert expected[f"threshold.threshold_{k}"] == pytest.approx(root, abs=1e-6)
    m = experiment.solution(torch.full((3,), 0.1).double(), 0.9, 0.05)
    assert expected["parallel.m_1"] == pytest.approx(m[0].item(), abs=1e-6)
    assert torch.allclose(m, m[:1].expand(3))
