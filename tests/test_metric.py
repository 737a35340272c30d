"""Losses of metric learning against slow transcriptions of their formulas."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.methods.metric.npair import NPair
from repro.methods.metric.snca import SNCA
from repro.methods.metric.triplet import Triplet


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(cls: Any, **options: object) -> Any:
    return cls(cls.Options(name=cls.__name__.lower(), **options), nn.Identity(), nn.Identity())


class Draws:
    """Uniform numbers for `rows` rows."""

    def __init__(self, rows: int, seed: int = 0):
        self.rows, self.seed = rows, seed

    def uniform(self, name: str, *shape: int) -> Tensor:
        return torch.rand(self.rows, *shape, generator=torch.Generator().manual_seed(self.seed))


def slow_npair(z: Tensor, length: float) -> float:
    """Sohn 2016, N-pair-mc: anchor i, its positive, and the other pairs' positives."""
    total = 0.0
    for i, (f, own) in enumerate(z):
        others = [math.exp(float(f @ z[j, 1] - f @ own)) for j in range(len(z)) if j != i]
        total += math.log(1 + sum(others)) / len(z)
    return total + length * float(sum(x @ x for x in z.flatten(0, 1))) / (2 * len(z))


@pytest.mark.parametrize("length", [0.0, 0.02])
def test_npair_is_its_formula(length: float) -> None:
    z = normal(6, 2, 4)
    assert made(NPair, length=length).loss(z, None).item() == pytest.approx(slow_npair(z, length), rel=1e-12)


def test_npair_with_all_negatives_drawn_is_npair() -> None:
    z = normal(6, 2, 4)
    drawn = made(NPair, negatives=5).loss(z, Draws(6)).item()
    assert drawn == pytest.approx(made(NPair).loss(z, None).item(), rel=1e-12)


def test_npair_with_one_negative_is_the_smooth_triplet_loss() -> None:
    """Of two pairs there is one negative; of more, every one is drawn about as often."""
    z = normal(2, 2, 4)
    slow = sum(math.log(1 + math.exp(float(z[i, 0] @ (z[1 - i, 1] - z[i, 1])))) for i in range(2)) / 2
    assert made(NPair, negatives=1, length=0.0).loss(z, Draws(2)).item() == pytest.approx(slow, rel=1e-12)
    method = made(NPair, negatives=1)
    met = sum(method._met(Draws(5, seed), 5).double() for seed in range(400)) / 400
    expected = torch.full((5, 5), 0.25).fill_diagonal_(1).double()
    torch.testing.assert_close(met, expected, atol=0.08, rtol=0)


def triplets(label: list[int]) -> list[tuple[int, int, int]]:
    n = range(len(label))
    alike = [(a, p) for a in n for p in n if a != p and label[a] == label[p]]
    return [(a, p, k) for a, p in alike for k in n if label[k] != label[a]]


@pytest.mark.parametrize("margin", [0.3, None])
@pytest.mark.parametrize("mining", ["hard", "all"])
def test_triplet_is_its_formula(mining: str, margin: float | None) -> None:
    """Hermans et al. 2017, eqs. 5 and 6 (6 as a mean)."""
    z, label = unit(normal(3, 3, 4)), torch.tensor([[0] * 3, [1] * 3, [2] * 3])
    flat, classes = z.flatten(0, 1), label.flatten().tolist()

    def penalty(a: int, p: int, n: int) -> float:
        gap = float((flat[a] - flat[p]).norm() - (flat[a] - flat[n]).norm())
        return math.log(1 + math.exp(gap)) if margin is None else max(0.0, margin + gap)

    each = [(a, penalty(a, p, n)) for a, p, n in triplets(classes)]
    if mining == "hard":  # the penalty rises with d(a, p) and falls with d(a, n)
        each = [(a, max(x for b, x in each if b == a)) for a in range(9)]
    slow = sum(x for _, x in each) / len(each)
    found = made(Triplet, mining=mining, margin=margin).loss(z, label, None)
    assert found.item() == pytest.approx(slow, rel=1e-9)


def test_random_triplets_agree_with_all_on_average() -> None:
    z, label = unit(normal(3, 3, 4)), torch.tensor([[0] * 3, [1] * 3, [2] * 3])
    random = made(Triplet, mining="random", margin=0.3)
    mean = sum(random.loss(z, label, Draws(3, seed)).item() for seed in range(600)) / 600
    assert mean == pytest.approx(
        made(Triplet, mining="all", margin=0.3).loss(z, label, None).item(), abs=0.02
    )


class Bare(nn.Identity):
    dim = 4


def begun(labels: list[int]) -> Any:
    method = SNCA(SNCA.Options(name="snca", temperature=0.3), nn.Linear(2, 2).double(), Bare())
    torch.manual_seed(0)
    method.begin(len(labels), SimpleNamespace(labels=torch.tensor(labels)))  # type: ignore[arg-type]
    return method


def test_snca_is_its_formula() -> None:
    """Wu et al. 2018, section 3.2: p_i = Σ_{j in class} exp(s_ij / σ) / Σ_{k ≠ i}; the last sample has no other."""
    labels = [0, 1, 0, 1, 0, 2]
    method, z, index = begun(labels), unit(normal(4, 4)), torch.tensor([0, 3, 4, 5])
    slow = 0.0
    for v, i in zip(z, index.tolist(), strict=True):
        weight = [math.exp(float(v @ m) / 0.3) for m in method.bank.rows]
        own = sum(w for j, w in enumerate(weight) if j != i and labels[j] == labels[i])
        rest = sum(w for j, w in enumerate(weight) if j != i)
        slow -= math.log(own / rest) / 4 if own else 0.0
    loss = method.loss(z, torch.tensor(labels)[index], index)
    assert loss.item() == pytest.approx(slow, rel=1e-12)
    before = method.bank.rows.clone()
    method.after_step(z, index)
    torch.testing.assert_close(method.bank.rows[index], unit(0.5 * before[index] + 0.5 * z))
    assert torch.equal(method.bank.rows[[1, 2]], before[[1, 2]])


def test_snca_of_a_lone_class_has_a_finite_gradient() -> None:
    method, z = begun([0, 1, 1]), unit(normal(2, 4)).requires_grad_()
    method.loss(z, torch.tensor([0, 1]), torch.tensor([0, 1])).backward()
    assert z.grad is not None and z.grad.isfinite().all()
