"""Kini et al. 2024 and Xue et al. 2024: closed forms against slow loops, other solvers, and cases done by hand."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize
from torch import Tensor

from repro.experiments.contrastive.projection_head import (
    Layers,
    ProjectionHead,
    closed_form,
    downstream,
    expected_loss,
    sampled_loss,
    slope,
)
from repro.experiments.supervised_contrastive.imbalanced_contrast import (
    ImbalancedContrast,
    imbalanced,
    pixels,
)
from repro.experiments.supervised_contrastive.orthogonal_frame import (
    Features,
    OrthogonalFrame,
    batches,
    class_means,
    frame_distance,
    frame_loss,
)
from repro.recipes.load import load
from repro.stages.minimise import lbfgs
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def measured(stage: Any, folder: Path, **options: Any) -> dict[str, float]:
    """The metrics of a run of the stage with these options."""
    ctx = context(folder, device=CPU, checkpoint_every=1e9, picture=lambda name: folder / name)
    return stage(stage.Options.model_validate({"kind": "stage", **options})).run(ctx).metrics


# Kini et al.: free features


def slow_sum(h: Tensor, label: list[int], temperature: float) -> float:
    """The loss summed over anchors that have positives, in loops."""
    total = 0.0
    for i, a in enumerate(h.numpy()):
        similar = [math.exp(a @ b / temperature) for b in h.numpy()]
        below = sum(similar) - similar[i]
        positives = [j for j in range(len(h)) if j != i and label[j] == label[i]]
        total -= sum(math.log(similar[j] / below) for j in positives) / max(1, len(positives))
    return total


sizes_of = st.lists(st.integers(1, 5), min_size=2, max_size=5).filter(lambda sizes: max(sizes) > 1)


@given(sizes_of, st.floats(0.1, 2), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_frame_has_the_closed_form_loss_and_nothing_non_negative_has_less(
    sizes: list[int], temperature: float, seed: int
) -> None:
    label = [c for c, n in enumerate(sizes) for _ in range(n)]
    frame = torch.eye(len(sizes), dtype=torch.float64)[label]
    bound = frame_loss(sizes, temperature)
    assert slow_sum(frame, label, temperature) == pytest.approx(bound, abs=1e-9)
    other = gaussian(len(label), 4, seed=seed).abs()
    other /= other.norm(dim=1, keepdim=True)
    assert slow_sum(other, label, temperature) >= bound - 1e-9


def problem(**changes: Any) -> Features:
    options = {"kind": "orthogonal_frame", "sizes": (3, 2, 2), "dim": 8, **changes}
    return Features(OrthogonalFrame.Options.model_validate(options), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["one", "pairs", "bound"])
def test_the_loss_is_the_sum_over_batches_in_slow_loops(kind: str) -> None:
    p = problem(batches=kind, relu=False, temperature=0.5)
    rows = {"one": [range(7)], "pairs": [range(5), (5, 6)], "bound": [range(6), (0, 3, 5, 6)]}[kind]
    label, h = p.label.tolist(), p.features().detach()
    expected = sum(slow_sum(h[list(r)], [label[i] for i in r], 0.5) for r in rows)
    assert p().item() == pytest.approx(expected)
    assert [b.tolist() for b in batches(p.label, kind)] == [list(r) for r in rows]


def test_a_frame_is_reached_from_a_random_start_and_only_with_relu() -> None:
    for relu in (True, False):
        p = problem(sizes=(4, 4, 2), dim=12, relu=relu)
        for _ in range(4):
            lbfgs(p)
        h = p.features().detach()
        assert (h.min().item() >= 0) == relu
        near = frame_distance(class_means(h, p.label)).item() < 1e-6
        assert near == relu
        assert (p().item() == pytest.approx(p.bound, abs=1e-9)) == relu


def test_the_plain_numbers_in_the_recipe_are_the_reduced_problem_s() -> None:
    """Four vectors with cosines a, b, c between them, found by Nelder and Mead; the recipe says why these suffice."""

    def between(a: float, c: float) -> float:
        return -math.sqrt((1 + a) * (1 + c)) / 2

    def loss(free: np.ndarray, n: int = 10, m: int = 2) -> float:
        a, c = np.tanh(free)
        b = between(a, c)
        large = math.log(n - 1 + n * math.exp(a - 1) + 2 * m * math.exp(b - 1))
        small = math.log(m - 1 + m * math.exp(c - 1) + 2 * n * math.exp(b - 1))
        return 2 * n * large + 2 * m * small

    found = minimize(loss, [-0.5, 0.2], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13})
    a, c = np.tanh(found.x)
    expected = {e.metric: e.target for e in load("scl-relu-ufm").expected if e.metric.startswith("plain")}
    derived = {"loss": found.fun, "cosine_first": a, "cosine_last": c, "cosine_mixed": between(a, c)}
    assert expected == pytest.approx({f"plain.{k}": v for k, v in derived.items()}, abs=1e-6)


def test_the_constrained_numbers_in_the_recipe_are_the_closed_form_s() -> None:
    recipe = load("scl-relu-ufm")
    losses = {
        e.metric.split(".")[0]: e.target
        for e in recipe.expected
        if e.metric.endswith(".loss") and e.value is not None and not e.metric.startswith("plain")
    }
    assert len(losses) == 3
    for name, value in losses.items():
        stage: Any = recipe.stages[name]
        assert value == pytest.approx(frame_loss(stage.sizes, stage.temperature), abs=1e-6)


def test_geometry_is_that_of_slow_loops() -> None:
    h, label = gaussian(7, 5), torch.tensor([0, 1, 1, 2, 0, 2, 2])
    means = np.stack(
        [np.mean([x for x, y in zip(h.numpy(), label, strict=True) if y == c], 0) for c in range(3)]
    )
    assert np.allclose(class_means(h, label), means)
    gram = np.array([[a @ b for a in means] for b in means])
    slow = np.linalg.norm(gram / np.linalg.norm(gram) - np.eye(3) / math.sqrt(3))
    assert frame_distance(torch.tensor(means)).item() == pytest.approx(slow)
    rotation = torch.linalg.qr(gaussian(5, 5)).Q
    assert frame_distance(3 * rotation[:4]).item() == pytest.approx(0, abs=1e-12)
    assert frame_distance(rotation[:4] * torch.tensor([[1.0], [1], [1], [2]])).item() > 0.1


def test_binding_decides_whether_classes_that_never_meet_are_apart(tmp_path: Path) -> None:
    found = {
        kind: measured(OrthogonalFrame, tmp_path, sizes=(4, 4, 2, 2), batches=kind, steps=2)
        for kind in ("pairs", "bound")
    }
    assert all(metrics["gap"] == pytest.approx(0, abs=1e-8) for metrics in found.values())
    assert found["bound"]["cosine_max"] < 1e-5 < 0.05 < found["pairs"]["cosine_max"]
    assert (tmp_path / "cosines.svg").exists()


def test_too_few_dimensions_for_a_frame_are_told() -> None:
    with pytest.raises(ValidationError, match="as many dimensions"):
        problem(dim=2)


# Kini et al.: a network on images


class Images(SimpleNamespace):
    """What the stage needs of a data set."""

    def __len__(self) -> int:
        return len(self.images)


def images(n: int = 90, side: int = 4) -> Any:
    """Three classes of noisy images, each bright in a row of its own."""
    labels = torch.arange(n) % 3
    bright = torch.randint(0, 120, (n, 1, side, side), generator=torch.Generator().manual_seed(1))
    for row in range(3):
        bright[labels == row, :, row] += 80
    shape, bright = (1, side, side), bright.to(torch.uint8)
    return Images(images=bright, labels=labels, shape=shape, mean=(0.3,), std=(0.2,))


def test_step_imbalance_by_hand() -> None:
    label = torch.tensor([2, 0, 1, 0, 3, 1, 2, 3, 0, 1, 2, 3, 0])
    rows, first = imbalanced(label, per_class=3, ratio=10)
    assert rows.tolist() == [1, 3, 8, 2, 5, 9, 0, 6, 4, 7]
    assert label[rows][first].tolist() == [0, 1, 2, 3] and first.tolist() == [0, 3, 6, 8]
    assert imbalanced(label, 3, 1)[0].tolist() == [1, 3, 8, 2, 5, 9, 0, 6, 10, 4, 7, 11]


def test_pixels_are_normalised_with_the_set_s_mean_and_deviation() -> None:
    data = images(4)
    x = pixels(data, torch.tensor([2]))
    assert x[0, 0, 1, 3].item() == pytest.approx((data.images[2, 0, 1, 3].item() / 255 - 0.3) / 0.2)


def test_relu_brings_the_class_means_nearer_to_a_frame(tmp_path: Path) -> None:
    data = images()
    options = {
        "kind": "s",
        "per_class": 24,
        "ratio": 4,
        "batch": 20,
        "steps": 160,
        "hidden": (16,),
        "dim": 16,
    }
    ctx = context(
        tmp_path,
        device=CPU,
        checkpoint_every=1e9,
        picture=lambda name: tmp_path / name,
        data=lambda split: data,
    )
    outcome = ImbalancedContrast(ImbalancedContrast.Options.model_validate(options)).run(ctx)
    assert outcome.metrics["frame_relu"] < 0.2 < 0.3 < outcome.metrics["frame_plain"]
    assert outcome.metrics["top1_relu"] > 90
    assert outcome.curve[0]["frame_relu"] > outcome.curve[-1]["frame_relu"]
    assert outcome.curve[-1]["frame_relu"] == outcome.metrics["frame_relu"]
    assert (tmp_path / "frame.svg").exists()


# Xue et al.


NOISE = torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)


def test_the_sampled_loss_is_that_of_slow_loops() -> None:
    w = gaussian(2, 3)
    torch.manual_seed(5)
    clean = torch.randn(4, 1, 3, dtype=torch.float64)
    views = clean + torch.randn(4, 2, 3, dtype=torch.float64) * NOISE.sqrt()
    z = (views @ w.T).numpy()
    positive = sum(z[i, 0] @ z[i, 1] for i in range(4)) / 4
    negative = sum((z[i, 0] @ z[j, 1]) ** 2 for i in range(4) for j in range(4) if i != j) / 12
    torch.manual_seed(5)
    assert sampled_loss(w, NOISE, 4).item() == pytest.approx(negative - 2 * positive)


def test_the_expected_loss_is_the_mean_of_sampled_ones() -> None:
    w = gaussian(2, 3) / 4
    torch.manual_seed(0)
    losses = [sampled_loss(w, NOISE, 500).item() for _ in range(60)]
    spread = np.std(losses) / math.sqrt(len(losses))
    assert np.mean(losses) == pytest.approx(expected_loss(w, NOISE).item(), abs=4 * spread)
    assert spread < 0.1 * abs(expected_loss(w, NOISE).item())


def test_the_closed_form_is_a_minimum_and_does_not_depend_on_rotations() -> None:
    rotation = torch.linalg.qr(gaussian(5, 5)).Q[:, :3]
    w = (rotation * closed_form(NOISE)).requires_grad_()
    least = expected_loss(w, NOISE)
    (slope_,) = torch.autograd.grad(least, w)
    assert slope_.abs().max().item() < 1e-12
    assert least.item() == pytest.approx(-sum(1 / (1 + v) ** 2 for v in NOISE.tolist()))
    for seed in range(5):
        assert expected_loss(w + 0.1 * gaussian(5, 3, seed=seed), NOISE) > least


@pytest.mark.parametrize(("hidden", "out"), [(6, 6), (2, 4), (6, 4)])
def test_the_start_is_balanced(hidden: int, out: int) -> None:
    options = {"kind": "projection_head", "noise": (0, 1, 2, 3), "hidden": hidden, "out": out, "start": 0.3}
    model = Layers(ProjectionHead.Options.model_validate(options), torch.Generator().manual_seed(0))
    assert model.second.shape == (out, hidden) and model.first.shape == (hidden, 4)
    assert torch.allclose(model.second.T @ model.second, model.first @ model.first.T)
    assert model.first.std().item() == pytest.approx(0.3, rel=0.6)


def test_too_few_outputs_for_balance_are_told() -> None:
    with pytest.raises(ValidationError, match="balanced start"):
        ProjectionHead.Options.model_validate({"kind": "p", "noise": (0, 1, 2), "out": 2})


def test_the_slope_is_the_exponent_of_a_power_law() -> None:
    pre = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    assert slope(pre, 3 * pre**1.7) == pytest.approx(1.7)
    noisy = pre**2 * torch.tensor([1.1, 0.9, 1.0])
    assert slope(pre, noisy) == pytest.approx(np.polyfit(pre.log(), noisy.log(), 1)[0])


@pytest.mark.parametrize("target", [0, 4])
def test_the_downstream_fit_is_the_least_norm_solution(target: int) -> None:
    layer = gaussian(7, 5, seed=2) * torch.tensor([1.0, 0.5, 2, 1, 0.1])
    x = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    errors = []
    for samples in x.numpy():
        head = np.linalg.lstsq(samples @ layer.numpy().T, samples[:, target], rcond=None)[0]
        wrong = layer.numpy().T @ head - np.eye(5)[target]
        errors.append(wrong @ wrong)
    found = downstream(layer, target, shots=2, draws=3, random=torch.Generator().manual_seed(4))
    assert found == pytest.approx(np.mean(errors))
    assert downstream(layer, target, 5, 3, torch.Generator().manual_seed(4)) == pytest.approx(0, abs=1e-9)


def test_gradient_descent_squares_the_weights(tmp_path: Path) -> None:
    noise = (0.0, 1.0, 3.0)
    metrics = measured(ProjectionHead, tmp_path, noise=noise, hidden=5, out=5, steps=600, draws=500, shots=1)
    assert metrics["slope"] == pytest.approx(2, abs=0.02)
    assert metrics["ratio_post"] == pytest.approx(4, abs=0.01)
    assert metrics["ratio_pre"] == pytest.approx(2, abs=0.02)
    assert metrics["weak_post"] > metrics["weak_pre"]
    assert metrics["strong_pre"] > metrics["strong_post"]


def test_the_ratios_in_the_recipe_are_the_closed_form_s() -> None:
    recipe = load("projhead-linear-synthetic")
    stage: Any = recipe.stages["expected"]
    weights = closed_form(torch.tensor(stage.noise))
    largest = max((a / b).item() for a, b in combinations(weights.sort(descending=True).values, 2))
    expected = {e.metric: e.target for e in recipe.expected}
    assert expected["expected.ratio_post"] == pytest.approx(largest)
    assert expected["expected.ratio_pre"] == pytest.approx(math.sqrt(largest), abs=1e-6)
