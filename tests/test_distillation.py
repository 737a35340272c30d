"""Knowledge distillation and CRD against slow transcriptions of their formulas."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.methods.distillation.crd import CRD
from repro.methods.distillation.kd import KD, softened_divergence
from repro.methods.parts.negatives import of_other_classes
from repro.networks.build import Composite
from repro.networks.resnet_cifar import SmallResNet
from repro.networks.wide_resnet import WideResNet

LABELS = torch.tensor([2, 0, 1, 1, 0, 2, 2, 0])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Draws:
    def uniform(self, name: str, *shape: int) -> Tensor:
        return torch.rand(3, *shape, generator=torch.Generator().manual_seed(5))


class Flat(nn.Sequential):
    def __init__(self, inputs: int, dim: int):
        super().__init__(nn.Flatten(), nn.Linear(inputs, dim))
        self.dim = dim


def made(cls: Any, **options: object) -> Any:
    torch.manual_seed(0)
    student, teacher = (Flat(4, 5), nn.Linear(5, 3)), Composite(Flat(4, 7), nn.Linear(7, 3))
    method = cls(cls.Options(name=cls.__name__.lower(), **options), *student, teacher=teacher).double()
    method.begin(len(LABELS), SimpleNamespace(labels=LABELS)) if cls is CRD else method.begin(len(LABELS))
    return method


def slow_kd(student: Tensor, teacher: Tensor, t: float) -> float:
    """Hinton et al. 2015: T² Σ p log(p / q), with p and q softmaxes at temperature T."""
    total = 0.0
    for a, b in zip(student.tolist(), teacher.tolist(), strict=True):
        q, p = ([math.exp(x / t) for x in logits] for logits in (a, b))
        q, p = ([x / sum(v) for x in v] for v in (q, p))
        total += t**2 * sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
    return total / len(student)


def slow_ce(logits: Tensor, label: Tensor) -> float:
    each = [
        math.log(sum(math.exp(x) for x in row)) - row[c]
        for row, c in zip(logits.tolist(), label, strict=True)
    ]
    return sum(each) / len(each)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_is_its_formula(temperature: float) -> None:
    a, b, label = normal(5, 3), normal(5, 3, seed=1), torch.tensor([0, 1, 2, 2, 0])
    slow = slow_kd(a, b, temperature)
    assert softened_divergence(a, b, temperature).item() == pytest.approx(slow, rel=1e-12)
    method = made(KD, temperature=temperature, label_weight=0.1, teacher_weight=0.9)
    loss = method.loss(a[:, None], b[:, None], label)
    assert loss.item() == pytest.approx(0.1 * slow_ce(a, label) + 0.9 * slow, rel=1e-12)


def test_the_teacher_gets_no_gradient() -> None:
    method, views = made(CRD, negatives=4, dim=2), normal(3, 1, 1, 2, 2)
    index = torch.tensor([1, 4, 6])
    embedded = method.embed(views)
    method.loss(**embedded, label=LABELS[index], index=index, draws=Draws()).backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert all(p.grad is not None for p in (*method.encoder.parameters(), *method.maps.parameters()))


def slow_crd(method: Any, z: Tensor, index: Tensor, drawn: Tensor, t: float) -> float:
    """HobbitLong/RepDistiller's criterion: Tian et al. 2019, eq. 18, once for each side's anchors."""
    n, m, total = len(LABELS), drawn.shape[1], 0.0
    for side in (0, 1):
        rows = method.banks[1 - side].rows
        normaliser = sum(math.exp(float(x @ r) / t) for x in z[:, side] for r in rows) / len(z)
        for x, i, others in zip(z[:, side], index.tolist(), drawn.tolist(), strict=True):
            p = {j: math.exp(float(x @ rows[j]) / t) / normaliser for j in (i, *others)}
            total -= math.log(p[i] / (p[i] + m / n))
            total -= sum(math.log((m / n) / (p[j] + m / n)) for j in others)
    return total / len(z)


def test_crd_is_its_formula() -> None:
    method = made(CRD, negatives=6, dim=4, contrast_weight=0.8, teacher_weight=0.5)
    z, index = unit(normal(3, 2, 4)), torch.tensor([1, 4, 6])
    label = LABELS[index]
    a, b = normal(3, 1, 3, seed=2), normal(3, 1, 3, seed=3)
    drawn = of_other_classes(LABELS, Draws().uniform("negatives", 6), label)
    slow = slow_ce(a[:, 0], label) + 0.5 * slow_kd(a[:, 0], b[:, 0], 4.0)
    slow += 0.8 * slow_crd(method, z, index, drawn, 0.07)
    found = method.loss(a, b, z, label, index, Draws())
    assert found.item() == pytest.approx(slow, rel=1e-10)


def test_crd_keeps_its_first_constants_and_moves_the_rows_it_met() -> None:
    method, z, index = made(CRD, dim=4), unit(normal(3, 2, 4)), torch.tensor([1, 4, 6])
    before = [bank.rows.clone() for bank in method.banks]
    method.after_step(z, index)
    constants = method.log_z.clone()
    for side, bank in enumerate(method.banks):
        torch.testing.assert_close(bank.rows[index], unit(0.5 * before[side][index] + 0.5 * z[:, side]))
        assert torch.equal(bank.rows[[0, 7]], before[side][[0, 7]])
    method.after_step(unit(normal(3, 2, 4, seed=9)), index)
    assert torch.equal(method.log_z, constants)


def test_negatives_are_of_other_classes_and_all_alike() -> None:
    number = torch.linspace(0, 1, 10_001)[:-1].expand(3, -1)
    label = torch.tensor([0, 1, 2])
    found = of_other_classes(LABELS, number, label)
    for row, c in zip(found, label, strict=True):
        assert (LABELS[row] != c).all()
        counts = row.bincount(minlength=len(LABELS))[c != LABELS]
        assert counts.max() - counts.min() <= 2


def test_wide_resnet_counts() -> None:
    """WRN-28-10 has 36.5 million weights with a classifier of 10 (Zagoruyko and Komodakis 2016, table 4)."""
    with torch.device("meta"):
        network = WideResNet(WideResNet.Options(backbone="wide_resnet", depth=28, widen=10), (3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) + 6410 == pytest.approx(36.5e6, abs=0.05e6)
    small = WideResNet(WideResNet.Options(backbone="wide_resnet", depth=16, widen=2), (3, 32, 32))
    assert small(torch.randn(2, 3, 32, 32)).shape == (2, small.dim) == (2, 128)
    assert (
        sum(p.numel() for p in small.parameters()) + 12900 == 703284
    )  # wrn_16_2 of RepDistiller, 100 classes


def test_a_wider_stem_is_the_times_four_of_the_literature() -> None:
    """resnet8x4 of RepDistiller: 1,233,540 weights with a classifier of 100, a projection already in stage one."""
    options = SmallResNet.Options(backbone="resnet8", width=64, stem_width=32)
    network = SmallResNet(options, (3, 32, 32))
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 256)
    assert sum(p.numel() for p in network.parameters()) + 25_700 == 1_233_540
