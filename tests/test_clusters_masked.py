"""Methods of clustering and masking: losses against slow transcriptions, and what the methods do beside them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from repro.errors import UserError
from repro.methods.clustering.dec import sharpened
from tests.test_semi import MLP, SHAPE, draws, made, network, noise

VIT: dict[str, Any] = {"backbone": "vit", "patch": 2, "width": 8, "depth": 1, "heads": 2}

CODER: dict[str, Any] = {"backbone": "mlp", "hidden": [8, 5, 2], "last": "linear"}
DECODER = {"kind": "perceptron", "hidden": [5, 8], "out": 36}


def test_an_autoencoder_is_its_formula_and_trains_one_layer_alone():
    x = noise(3, 1, *SHAPE)
    whole = made("autoencoder", CODER | {"head": DECODER})
    given = whole.head(whole.encoder(x[:, 0]))
    expected = ((given - x.flatten(1)) ** 2).sum() / 36 / 3
    assert whole.loss(**whole.embed(x)).item() == pytest.approx(expected.item())
    for layer in (1, 2, 3):
        method = made("autoencoder", CODER | {"head": DECODER}, layer=layer, dropout=0.0)
        a, b = method.down[layer - 1], method.up[-layer]
        inputs = x.flatten(1)
        for before in method.down[: layer - 1]:
            inputs = before(inputs).clamp_min(0)
        hidden = a(inputs) if layer == 3 else a(inputs).clamp_min(0)
        given = b(hidden) if layer == 1 else b(hidden).clamp_min(0)
        loss = method.loss(**method.embed(x))
        assert loss.item() == pytest.approx(((given - inputs) ** 2).sum().item() / 3 / inputs.shape[1])
        loss.backward()
        learning = [m for m in [*method.down, *method.up] if m.weight.grad is not None]
        assert learning == [a, b]
    with pytest.raises(UserError, match="mirror"):
        made("autoencoder", CODER | {"head": {"kind": "perceptron", "hidden": [8, 5], "out": 36}})


def test_dec_is_its_formulas():
    method = made("dec", CODER | {"head": {"kind": "centres", "clusters": 4}}, interval=2)
    z = noise(6, 2)
    q = method.head(z)
    slow = torch.zeros(6, 4, dtype=torch.float64)
    for i in range(6):
        for j in range(4):
            slow[i, j] = 1 / (1 + (z[i] - method.head.centres[j]).square().sum())
        slow[i] /= slow[i].sum()
    assert torch.allclose(q, slow)
    p = slow**2 / slow.sum(0)
    p = p / p.sum(1, keepdim=True)
    assert torch.allclose(sharpened(q), p)
    method.begin(6)
    method.target.copy_(p)
    index = torch.tensor([4, 1])
    expected = sum((p[i, j] * (p[i, j] / q[i, j]).log()).item() for i in (4, 1) for j in range(4)) / 2
    assert method.loss(q[index], index).item() == pytest.approx(expected)


def test_dec_starts_from_k_means_and_finds_clusters():
    method = made("dec", CODER | {"head": {"kind": "centres", "clusters": 3}}, interval=2)
    corners = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]).double()
    z = corners.repeat_interleave(20, 0) + 0.1 * noise(60, 2)
    method.begin(60)
    asked: list[int] = []

    def features() -> Tensor:
        asked.append(1)
        return z

    for step in range(4):
        method.before_step(step, features)
    assert len(asked) == 2
    assert torch.cdist(corners, method.head.centres).min(1).values.max() < 0.1
    assert (method.target.argmax(1).view(3, 20) == method.target.argmax(1).view(3, 20)[:, :1]).all()
    with pytest.raises(UserError, match="centres"):
        made("dec", CODER | {"head": {"kind": "linear"}}, interval=2)


# Masked


def test_a_vit_sees_only_what_it_is_to_see():
    torch.manual_seed(1)
    encoder: Any = network(VIT).encoder.double()
    x = noise(2, *SHAPE)
    keep = torch.tensor([[8, 0, 3], [1, 2, 4]])
    seen = encoder(x, keep)
    y = x.clone()
    y[0, :, 2:4, 2:4] = 9.0  # patch 4 of a grid of 3 × 3, which the first image does not show
    assert torch.equal(encoder(y, keep), seen)
    y[0, :, :2, :2] = 9.0
    assert not torch.allclose(encoder(y, keep)[0], seen[0])
    everything = torch.arange(9).expand(2, -1)
    assert torch.allclose(encoder(x, everything.flip(1)), encoder(x))
    assert encoder(noise(2, 1, 4, 4)).shape == (2, 8)  # a smaller image, with positions that stretch
    with pytest.raises(UserError, match="divide into patches"):
        network(VIT, (1, 7, 7))


def test_the_masked_autoencoder_is_its_formula():
    method = made("mae", VIT, mask=0.6, width=8, depth=1, heads=2)
    x = noise(2, 1, *SHAPE)
    error = method.embed(x, draws(2))["error"]
    order = draws(2).order("mask", 9)
    assert method.kept == 4
    for i in range(2):
        keep = order[i : i + 1, :4]
        given = method._decoded(method.encoder.tokens(x[i], keep), keep)[0]
        total = 0.0
        for patch in order[i, 4:].tolist():
            row, column = 2 * (patch // 3), 2 * (patch % 3)
            pixels = x[i, 0, 0, row : row + 2, column : column + 2].flatten()
            pixels = (pixels - pixels.mean()) / (pixels.var() + 1e-6).sqrt()
            total += (given[patch] - pixels).square().mean().item() / 5
        assert error[i].item() == pytest.approx(total)
    assert torch.allclose(method.embed(x[1:], draws(1, 1))["error"], error[1:])
    with pytest.raises(UserError, match="vit"):
        made("mae", MLP)


def test_masked_siamese_networks_are_their_formula():
    method = made("msn", VIT | {"head": {"kind": "linear", "out": 5}}, prototypes=6, mask=0.5)
    views, local = noise(3, 2, *SHAPE), noise(3, 2, 1, 4, 4, seed=2)
    embedded = method.embed(views, draws(3), local)
    z, target = embedded["z"], embedded["target"]
    assert z.shape == (3, 3, 5) and not target.requires_grad
    prototypes = F.normalize(method.prototypes, dim=1)
    total, mean = 0.0, torch.zeros(6, dtype=torch.float64)
    for i in range(3):
        sharp = (target[i] @ prototypes.T / 0.1).softmax(0) ** 4
        sharp = sharp / sharp.sum()
        for k in range(3):
            p = (z[i, k] @ prototypes.T / 0.1).softmax(0)
            mean = mean + p / 9
            total += -(sharp * p.log()).sum().item() / 9
    expected = total + (mean * mean.log()).sum().item() + math.log(6)
    assert method.loss(target, z)["loss"].item() == pytest.approx(expected)
    keep = draws(3).uniform("mask", 1, 9).argsort(stable=True, dim=-1)[:, 0, : method.kept]
    anchor = F.normalize(method.head(method.encoder(views[:, 1], keep)), dim=1)
    assert torch.allclose(z[:, 0], anchor)
