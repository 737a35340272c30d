"""Zimmermann et al. 2021, latents in a box: the distribution of pairs, the matching, the recovery of latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from repro.experiments.contrastive import clica_box as experiment
from tests.test_engine import context


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.98])
def test_positives_are_laplacian_within_the_box(mean: float) -> None:
    scale = 0.1
    drawn = experiment.truncated_laplace(torch.full((40_000,), mean), scale, generator()).numpy()
    assert drawn.min() >= 0 and drawn.max() <= 1
    grid = (np.arange(2000) + 0.5) / 2000
    density = np.exp(-np.abs(grid - mean) / scale)
    density /= density.sum()
    for power in (1, 2):
        assert (drawn**power).mean() == pytest.approx((grid**power * density).sum(), abs=2e-3)
    assert (drawn < mean).mean() == pytest.approx(density[grid < mean].sum(), abs=0.01)


def test_outputs_are_matched_one_to_one_whatever_their_order_and_sign() -> None:
    z = torch.rand(500, 3, generator=generator())
    assert experiment.matched_correlation(z, 2 - 5 * z[:, [2, 0, 1]]) == pytest.approx(100)
    twice = torch.stack([z[:, 0], z[:, 0], z[:, 1]], 1)
    assert 60 < experiment.matched_correlation(z, twice) < 75  # only two of three can be met


def test_a_rotation_is_not_a_permutation() -> None:
    z = torch.rand(2000, 2, generator=generator())
    turned = z @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    assert experiment.matched_correlation(z, turned) == pytest.approx(100 / 2**0.5, abs=2)


def test_two_latents_are_recovered(tmp_path: Path) -> None:
    options = {"dim": 2, "temperature": 0.05, "draws": 100, "layers": 2, "hidden": (40, 40), "lr": 2e-3}
    stage = experiment.ClicaBox
    ctx = context(
        tmp_path,
        device=torch.device("cpu"),
        picture=lambda name: tmp_path / name,
        checkpoint_every=1e9,
    )
    chosen = stage.Options.model_validate({"kind": "c", "steps": 400, "samples": 128, **options})
    metrics = stage(chosen).run(ctx).metrics
    assert metrics["mcc"] > max(95, metrics["raw_mcc"])
    assert metrics["r2"] > 90
    assert (tmp_path / "mcc.svg").exists()
