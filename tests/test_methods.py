"""Each loss against a slow transcription of its formula, written from the paper with Python loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from repro.methods.contrastive.simclr import SimCLR, nt_xent
from repro.methods.supervised.cross_entropy import CrossEntropy
from repro.methods.supervised.supcon import SupCon, supcon_loss


def sphere(*shape: int, seed: int = 0) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True)


def slow_supcon(z: Tensor, label: Tensor, t: float) -> float:
    """Khosla et al. 2020, eq. 2, literally."""
    total, anchors = 0.0, range(len(z))
    for i in anchors:
        others = [a for a in anchors if a != i]
        positives = [p for p in others if label[p] == label[i]]
        normaliser = sum(math.exp(float(z[i] @ z[a]) / t) for a in others)
        terms = [math.log(math.exp(float(z[i] @ z[p]) / t) / normaliser) for p in positives]
        total += -sum(terms) / len(positives)
    return total / len(z)


def slow_nt_xent(z: Tensor, t: float) -> float:
    """Chen et al. 2020, eq. 1: views 2k−1 and 2k are a pair; the loss is the mean over both orders."""
    views = [z[i, v] for i in range(len(z)) for v in (0, 1)]
    total = 0.0
    for i in range(len(views)):
        j = i + 1 if i % 2 == 0 else i - 1
        below = sum(math.exp(float(views[i] @ views[k]) / t) for k in range(len(views)) if k != i)
        total += -math.log(math.exp(float(views[i] @ views[j]) / t) / below)
    return total / len(views)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 1.0])
@pytest.mark.parametrize("views", [1, 2, 3])
def test_supcon_is_equation_2(temperature: float, views: int) -> None:
    z = sphere(8, views, 5)
    label = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    method = SupCon(SupCon.Options(name="supcon", temperature=temperature), nn.Identity(), nn.Identity())
    slow = slow_supcon(z.flatten(0, 1), label.repeat_interleave(views), temperature)
    assert method.loss(z, label).item() == pytest.approx(slow, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 1.0])
def test_simclr_is_equation_1(temperature: float) -> None:
    z = sphere(7, 2, 5)
    assert nt_xent(z, temperature).item() == pytest.approx(slow_nt_xent(z, temperature), rel=1e-12)


def test_supcon_with_distinct_labels_is_nt_xent_with_its_gradient() -> None:
    z = sphere(6, 2, 4).requires_grad_()
    a = supcon_loss(z.flatten(0, 1), torch.arange(6).repeat_interleave(2), 0.3)
    b = nt_xent(z, 0.3)
    (ga,), (gb,) = torch.autograd.grad(a, z), torch.autograd.grad(b, z)
    assert a.item() == pytest.approx(b.item(), rel=1e-12)
    torch.testing.assert_close(ga, gb, rtol=1e-10, atol=1e-12)


def test_supcon_ignores_order_and_rotation() -> None:
    z, label = sphere(10, 4), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 0, 1])
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    rotation = torch.linalg.qr(sphere(4, 4, seed=5))[0]
    loss = supcon_loss(z, label, 0.2).item()
    assert supcon_loss(z[order], label[order], 0.2).item() == pytest.approx(loss, rel=1e-12)
    assert supcon_loss(z @ rotation, label, 0.2).item() == pytest.approx(loss, rel=1e-12)


def test_a_supcon_anchor_without_positives_counts_as_zero() -> None:
    z = sphere(3, 4)
    with_lone = supcon_loss(z, torch.tensor([0, 0, 1]), 0.5)
    pair_only = [-(z[i] @ z[1 - i] / 0.5 - torch.logsumexp(z[i] @ z[[1 - i, 2]].T / 0.5, 0)) for i in (0, 1)]
    assert with_lone.item() == pytest.approx(sum(p.item() for p in pair_only) / 3, rel=1e-12)


@pytest.mark.parametrize("cls", [SupCon, SimCLR])
def test_base_temperature_scales_the_loss(cls: type) -> None:
    z, label = sphere(4, 2, 3), torch.arange(4)
    plain, scaled = (
        cls(cls.Options(name="x", temperature=0.5, base_temperature=base), nn.Identity(), nn.Identity())
        for base in (None, 0.07)
    )
    arguments = (z, label) if cls is SupCon else (z,)
    ratio = scaled.loss(*arguments) / plain.loss(*arguments)
    assert ratio.item() == pytest.approx(0.5 / 0.07, rel=1e-12)


def test_cross_entropy_is_the_mean_negative_log_probability() -> None:
    logits = torch.randn(5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    label = torch.tensor([0, 2, 1, 1, 0])
    slow = 0.0
    for i in range(5):
        for v in range(2):
            weights = [math.exp(x) for x in logits[i, v].tolist()]
            slow -= math.log(weights[label[i]] / sum(weights)) / 10
    method = CrossEntropy(CrossEntropy.Options(name="cross_entropy"), nn.Identity(), nn.Identity())
    assert method.loss(logits, label).item() == pytest.approx(slow, rel=1e-12)


def test_embed_treats_every_sample_and_view_alone() -> None:
    torch.manual_seed(0)
    encoder, head = nn.Sequential(nn.Flatten(), nn.Linear(12, 6)), nn.Linear(6, 3)
    method = SimCLR(SimCLR.Options(name="simclr"), encoder, head)
    views = torch.randn(4, 2, 3, 2, 2)
    z = method.embed(views)["z"]
    assert z.shape == (4, 2, 3)
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(4, 2))
    torch.testing.assert_close(method.embed(views[2:3, 1:])["z"][0, 0], z[2, 1])
