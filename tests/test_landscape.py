"""Pokle et al. 2022: the sparse code, the losses and the layers by slow loops, and the two trainings side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from repro.experiments.negative_free import sparse_coding_landscape as experiment
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rows(*shape: int, seed: int = 0) -> Tensor:
    x = gaussian(*shape, seed=seed)
    return x / x.norm(dim=-1, keepdim=True)


def options(**changes: Any) -> Any:
    return experiment.SparseCodingLandscape.Options.model_validate({"kind": "s", **changes})


def measured(folder: Path, **changes: Any) -> dict[str, float]:
    small = {"samples": 256, "dim": 20, "latents": 4, "neurons": 20, "batch": 64, "lr": 0.02}
    ctx = context(folder, device=CPU, picture=lambda name: folder / name, checkpoint_every=1e9)
    return experiment.SparseCodingLandscape(options(**small, **changes)).run(ctx).metrics


def test_samples_are_single_columns_of_an_orthonormal_dictionary() -> None:
    dictionary, x = experiment.sparse_code(options(samples=500), torch.Generator().manual_seed(0))
    assert torch.allclose(dictionary.T @ dictionary, torch.eye(10), atol=1e-5)
    code = x @ dictionary
    assert torch.allclose(code.abs().sum(1), torch.ones(500), atol=1e-4)
    assert code.abs().argmax(1).unique().numel() == 10
    signs = code.sum(1).round()
    assert (signs == signs[0]).all()


def test_noise_is_added_to_every_coordinate() -> None:
    one, other = (
        experiment.sparse_code(options(samples=4000, noise=noise), torch.Generator().manual_seed(0))[1]
        for noise in (0.0, 0.2)
    )
    assert (other - one).std(0).tolist() == pytest.approx([0.2] * 50, rel=0.06)


def test_views_are_independent_masks() -> None:
    torch.manual_seed(0)
    a, b = experiment.masked(torch.full((4000, 6), 3.0), 0.25)
    assert set(a.unique().tolist()) == {0.0, 3.0}
    kept = [(view > 0).float() for view in (a, b)]
    assert [k.mean().item() for k in kept] == pytest.approx([0.25, 0.25], abs=0.01)
    assert (kept[0] * kept[1]).mean().item() == pytest.approx(0.0625, abs=0.01)


def test_nt_xent_is_the_authors_loop() -> None:
    a, b, temperature = rows(4, 3), rows(4, 3, seed=1), 0.3
    z = torch.cat([a, b])
    slow = []
    for i in range(8):
        partner = (i + 4) % 8
        others = [math.exp(float(z[i] @ z[j]) / temperature) for j in range(8) if j not in (i, partner)]
        positive = math.exp(float(z[i] @ z[partner]) / temperature)
        slow.append(-math.log(positive / (positive + sum(others))))
    assert experiment.nt_xent(a, b, temperature).item() == pytest.approx(sum(slow) / 8)


@pytest.mark.parametrize("turn", [0, 1])
def test_the_distance_moves_one_side_only(turn: int) -> None:
    pair = [rows(5, 3).requires_grad_(), rows(5, 3, seed=1).requires_grad_()]
    loss = experiment.distance(*pair, turn)
    expected = (pair[0] - pair[1]).detach().square().sum(1).mean()
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert pair[turn].grad is not None and pair[1 - turn].grad is None


def test_the_activation_without_norm_is_odd() -> None:
    layer = experiment.Layer(options(dim=6, neurons=5), norm=False).double()
    x = gaussian(7, 6)
    wx = x @ layer.linear.weight.T
    b = layer.linear.bias
    slow = torch.where(wx + b > 0, wx + b, 0.0) - torch.where(b - wx > 0, b - wx, 0.0)
    assert torch.allclose(layer(x), slow / slow.norm(dim=1, keepdim=True))
    assert torch.allclose(layer(-x), -layer(x))


def test_the_norm_comes_before_the_activation() -> None:
    layer = experiment.Layer(options(dim=6, neurons=5), norm=True).double()
    x = gaussian(40, 6)
    y = layer.linear(x)
    y = (y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt()
    b = layer.linear.bias
    slow = y.clamp(min=0) - (2 * b - y).clamp(min=0)
    assert torch.allclose(layer(x), slow / slow.norm(dim=1, keepdim=True))


def test_recovery_by_hand() -> None:
    dictionary = torch.eye(3)[:, :2]
    weight = torch.tensor([[-2.0, 0, 0], [3, 4, 0], [0, 0, 7]])
    assert experiment.recovery(weight, dictionary).tolist() == pytest.approx([1.0, 0.8])


def test_weights_start_with_the_stated_variance() -> None:
    layer = experiment.Layer(options(dim=50, latents=10, neurons=400), norm=False)
    assert layer.linear.weight.std().item() == pytest.approx(1 / math.sqrt(500), rel=0.02)


def test_contrast_finds_the_dictionary_and_alignment_does_not(tmp_path: Path) -> None:
    contrastive = measured(tmp_path / "c", loss="infonce", epochs=200)
    alone = measured(tmp_path / "a", loss="alignment", epochs=200)
    assert contrastive["median_cosine"] > max(alone["median_cosine"], contrastive["start_cosine"])
    assert alone["alignment"] > 0.7 > alone["similarity"]
    assert (tmp_path / "c" / "cosines.svg").exists()
