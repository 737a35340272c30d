"""Methods with few, wrong or no labels: losses against slow transcriptions, and what the methods do beside them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.components import load, options_for
from repro.engine.draws import Draws
from repro.errors import UserError
from repro.keys import generator
from repro.methods.clustering.dec import sharpened
from repro.methods.generative.vae import divergence
from repro.methods.parts.average import WeightAverage
from repro.methods.semi_supervised.vat import direction
from repro.methods.semi_supervised.vat import divergence as kl
from repro.networks.batchnorm import convert, unlearning
from repro.networks.build import Network, build
from repro.options import NetworkOptions

SHAPE = (1, 6, 6)
MLP: dict[str, Any] = {"backbone": "mlp", "hidden": [7], "activation": "tanh"}
VIT: dict[str, Any] = {"backbone": "vit", "patch": 2, "width": 8, "depth": 1, "heads": 2}


def network(spec: dict[str, Any], shape: tuple[int, ...] = SHAPE) -> Network:
    options: NetworkOptions = options_for(("networks",), "backbone", spec)  # type: ignore[assignment]
    return build(options, shape, 3)


def made(name: str, spec: dict[str, Any], **options: Any) -> Any:
    torch.manual_seed(3)
    declared = options_for(("methods",), "name", {"name": name, **options})
    return load(("methods",), name)(declared, *network(spec)).double()


def draws(rows: int, first: int = 0) -> Draws:
    return Draws(11, first, rows, torch.device("cpu"))


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


# Semi-supervised


@pytest.mark.parametrize("temperature", [None, 0.4])
def test_fixmatch_and_uda_are_their_formulas(temperature):
    method = made(
        "fixmatch", MLP | {"head": {"kind": "linear"}}, threshold=0.5, weight=2.0, temperature=temperature
    )
    logits, weak, strong = noise(4, 3), 2 * noise(4, 5, 3, seed=2), noise(4, 5, 3, seed=3)
    label = torch.tensor([0, 2, 1, 1])
    total = 0.0
    for i in range(4):
        total += -logits[i].softmax(0)[label[i]].log().item() / 4
        for j in range(5):
            p, q = weak[i, j].softmax(0), strong[i, j].softmax(0)
            if p.max() < 0.5:
                continue
            target = (
                F.one_hot(p.argmax(), 3).double() if temperature is None else (weak[i, j] / 0.4).softmax(0)
            )
            total += 2 * sum((t * (t / s).log()).item() for t, s in zip(target, q, strict=True) if t > 0) / 20
    assert method.loss(logits, weak, strong, label)["loss"].item() == pytest.approx(total)


def test_fixmatch_embeds_everything_together_and_learns_from_the_strong_view_alone():
    method = made("fixmatch", MLP | {"head": {"kind": "linear"}})
    views, unlabelled = noise(4, 1, *SHAPE), noise(4, 5, 2, *SHAPE, seed=2)
    embedded = method.embed(views, unlabelled)
    alone = method.head(method.encoder(unlabelled[2, 3, 1:]))
    assert torch.allclose(embedded["strong"][2, 3], alone[0])
    assert embedded["weak"].shape == (4, 5, 3) and not embedded["weak"].requires_grad


def test_the_average_of_weights_is_the_recursion_and_is_handed_over():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average, expected = WeightAverage(net), net[0].weight.detach().clone()
    for step in range(5):
        with torch.no_grad():
            net[0].weight += 1 + step
        average.update(net, decay=0.7, step=step)
        d = min(0.7, 1 - 1 / (step + 1))
        expected = d * expected + (1 - d) * net[0].weight.detach()
    net[1].running_mean += 3
    average.hand_over(net)
    assert torch.allclose(net[0].weight, expected) and (net[1].running_mean == 3).all()


def test_vat_is_its_formula():
    method = made("vat", MLP | {"head": {"kind": "linear"}}, epsilon=0.5, weight=1.5, entropy=0.5)
    logits, plain, moved = noise(4, 2, 3), noise(4, 5, 3, seed=2), noise(4, 5, 3, seed=3)
    label = torch.tensor([[0, 1], [2, 0], [1, 1], [2, 2]])
    total = sum(-logits[i, j].softmax(0)[label[i, j]].log() / 8 for i in range(4) for j in range(2))
    for p, q in zip(plain.flatten(0, 1).softmax(1), moved.flatten(0, 1).softmax(1), strict=True):
        total = (
            total + sum(1.5 * a * (a / b).log() - 0.5 * a * a.log() for a, b in zip(p, q, strict=True)) / 20
        )
    assert method.loss(logits, plain, moved, label)["loss"].item() == pytest.approx(total.item())


def test_vat_moves_along_the_leading_eigenvector_of_the_hessian():
    """Section 3.3: power iterations on the Hessian of the divergence in the perturbation."""
    method = made("vat", MLP | {"head": {"kind": "linear"}}, epsilon=0.5, iterations=60)
    x = noise(2, 1, *SHAPE)
    r = method._adversary(x, draws(2).normal("direction", 1, *SHAPE))
    for one, found in zip(x[:, 0], r[:, 0], strict=True):
        plain = method.head(method.encoder(one[None])).detach()

        def moved(step: Tensor, one: Tensor = one, plain: Tensor = plain) -> Tensor:
            return kl(plain, method.head(method.encoder((one.flatten() + step).view(1, *SHAPE)))).sum()

        hessian = torch.autograd.functional.hessian(moved, torch.zeros(36, dtype=torch.float64))
        leading = torch.linalg.eigh(hessian).eigenvectors[:, -1]
        assert abs(found.flatten() @ leading) == pytest.approx(0.5, rel=1e-3)
        assert found.norm().item() == pytest.approx(0.5)


def test_one_power_iteration_in_float32_is_close_to_the_exact_product():
    method = made("vat", {"backbone": "mlp", "hidden": [50, 50]} | {"head": {"kind": "linear"}}, epsilon=1.0)
    x, d = noise(20, 1, *SHAPE), draws(20).normal("direction", 1, *SHAPE).double()
    exact = method._adversary(x, d)
    rough = method.float()._adversary(x.float(), d.float())
    assert F.cosine_similarity(exact.flatten(1), rough.double().flatten(1)).min() > 0.99


@pytest.mark.parametrize("converted", [False, True])
def test_batch_statistics_do_not_learn_from_perturbed_samples(converted):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    span = convert(net) if converted else None
    if span:
        span.groups = (6,)
    x = torch.randn(6, 3, generator=generator(1))
    with unlearning(net):
        inside = net(x)
    if span:
        span.update_running_statistics()
    assert (net[1].running_mean == 0).all() and torch.allclose(inside, net(x))
    if span:
        span.update_running_statistics()
    assert not (net[1].running_mean == 0).any()
    assert direction(torch.ones(1, 1, 1, 2, 2)).norm() == 1


# Wrong labels


def test_of_the_copies_of_an_image_one_has_its_label_and_the_rest_are_uniform():
    method = made("massive_noise", MLP | {"head": {"kind": "linear"}}, alpha=9)
    index = torch.arange(3000)
    label = index % 10
    labels = torch.stack([method.noisy(label, index, epoch, 10) for epoch in range(10)])
    right = (labels == label).sum(0).double()
    assert right.min() >= 1  # its own
    assert right.mean().item() == pytest.approx(1 + 9 / 10, abs=0.1)  # and one of ten by chance
    counts = labels.flatten().bincount(minlength=10).double()
    assert ((counts - 3000).abs() < 5 * math.sqrt(3000)).all()
    again = method.noisy(label, index.flip(0), 13, 10)  # the labels of a copy stay
    assert torch.equal(again, method.noisy(label.flip(0), index, 3, 10).flip(0)) or torch.equal(
        method.noisy(label, index, 13, 10), labels[3]
    )
    clean = made("massive_noise", MLP | {"head": {"kind": "linear"}}, alpha=0)
    assert torch.equal(clean.noisy(label, index, 5, 10), label)


# Generative


def test_the_bound_of_a_vae_is_its_formula():
    decoder = {"kind": "perceptron", "hidden": [5], "out": 36, "activation": "tanh"}
    method = made("vae", MLP | {"head": {"kind": "linear", "out": 4}}, decoder=decoder, initial_sd=0.1)
    x = noise(3, 1, *SHAPE).sigmoid()
    embedded = method.embed(x, draws(3))
    mean, log_variance = method.head(method.encoder(x[:, 0])).chunk(2, 1)
    z = mean + log_variance.exp().sqrt() * draws(3).normal("z", 2).double()
    y = method.decoder(z).sigmoid()
    for i in range(3):
        log_p = sum(
            a * b.log() + (1 - a) * (1 - b).log() for a, b in zip(x[i].flatten(), y[i].flatten(), strict=True)
        )
        kl = -sum(1 + log_variance[i] - mean[i] ** 2 - log_variance[i].exp()) / 2
        assert embedded["reconstruction"][i].item() == pytest.approx(log_p.item())
        assert embedded["divergence"][i].item() == pytest.approx(kl.item())
    loss = method.loss(**embedded)["loss"]
    assert loss.item() == pytest.approx((embedded["divergence"] - embedded["reconstruction"]).mean().item())
    assert torch.equal(method.embed(x[1:], draws(2, 1))["reconstruction"], embedded["reconstruction"][1:])


def test_the_divergence_is_that_of_a_simulation():
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, -0.7]])
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(0)
    z = q.sample((200_000,))
    simulated = (q.log_prob(z) - torch.distributions.Normal(0, 1).log_prob(z)).sum(-1).mean()
    assert divergence(mean, log_variance).item() == pytest.approx(simulated.item(), abs=0.02)


# Clustering

CODER: dict[str, Any] = {"backbone": "mlp", "hidden": [8, 5, 2], "last": "linear"}
DECODER = {"kind": "perceptron", "hidden": [5, 8], "out": 36}


def test_an_autoencoder_is_its_formula_and_trains_one_layer_alone():
    x = noise(3, 1, *SHAPE)
    whole = made("autoencoder", CODER | {"head": DECODER})
    given = whole.head(whole.encoder(x[:, 0]))
    expected = ((given - x.flatten(1)) ** 2).sum() / 2 / 3
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
        assert loss.item() == pytest.approx(((given - inputs) ** 2).sum().item() / 6)
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
