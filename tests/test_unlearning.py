"""Label-agnostic forgetting against slow transcriptions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from repro.components import load, options_for
from repro.engine.draws import Draws
from repro.keys import generator
from repro.networks.build import build, composite

SHAPE = (1, 8, 8)
CNN: dict[str, Any] = {"backbone": "cnn", "channels": [2, 3], "hidden": [6], "activated": False}
VAE = CNN | {"head": {"kind": "variational", "hidden": [5, 4], "latent": 2}}


def network(spec: dict[str, Any], seed: int) -> Any:
    torch.manual_seed(seed)
    return build(options_for(("networks",), "backbone", spec), SHAPE, 3)  # type: ignore[arg-type]


def method(name: str, spec: dict[str, Any], **further: Any) -> Any:
    return load(("methods",), name)(
        options_for(("methods",), "name", {"name": name}), *network(spec, 1), **further
    ).double()


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def draws(rows: int) -> Draws:
    return Draws(5, 0, rows, torch.device("cpu"))


@torch.no_grad()
def by_hand(vae: Any, e: Tensor, noise: Tensor) -> tuple[float, float]:
    """Squared error and divergence of one representation e (d,)."""
    first, *_, last = (layer for layer in vae.encoder if hasattr(layer, "weight"))
    middle = vae.encoder[2]
    hidden = (middle.weight @ (first.weight @ e + first.bias).relu() + middle.bias).relu()
    mean, log_variance = (last.weight @ hidden + last.bias).split(2)
    z = mean + (log_variance / 2).exp() * noise
    out = vae.decoder[0](z[None])[0].sigmoid()
    error = sum((float(a) - float(b)) ** 2 for a, b in zip(out, e, strict=True))
    divergence = sum(
        (math.exp(v) + m**2 - 1 - v) / 2 for m, v in zip(mean.tolist(), log_variance.tolist(), strict=True)
    )
    return error, divergence


def test_the_autoencoder_of_representations_is_its_formula() -> None:
    one, views = method("laf_vae", VAE), noise(4, 1, *SHAPE)
    found = one.loss(**one.embed(views, draws(4)))
    e, z = one.encoder(views[:, 0]), draws(4).normal("z", 2)
    parts = [by_hand(one.head, e[i], z[i]) for i in range(4)]
    assert found.item() == pytest.approx(sum(error + 0.025 * kl for error, kl in parts) / 4, rel=1e-5)


def test_laf_is_its_formulas() -> None:
    head = {"head": {"kind": "linear", "inner": [4]}}
    networks = {"everything": composite(network(VAE, 2)), "forgotten": composite(network(VAE, 3))}
    one = method("laf", CNN | head, **networks)
    views, remain = noise(4, 1, *SHAPE), noise(4, 1, 1, *SHAPE, seed=2)
    old_e, new_e = one.encoder(views[:, 0]), one.encoder(remain[:, 0, 0])
    turn0 = one.loss(**one.embed(views, remain, draws(4), 0), turn=0)["loss"].item()

    def g(vae: Any, e: Tensor, name: str, i: int) -> float:
        error, _ = by_hand(vae.head, e[i], draws(4).normal(name, 2)[i])
        return math.exp(error / (error + 1))

    expected = sum(
        g(one.everything, new_e, "remain", i) - g(one.forgotten, old_e, "forget", i) for i in range(4)
    )
    assert turn0 == pytest.approx(expected, rel=1e-5)

    @torch.no_grad()
    def moved(x: Tensor) -> list[float]:
        pairs = zip(one.encoder(x), one.everything.encoder(x), strict=True)
        return [1 - float(a @ b / a.norm() / b.norm()) for a, b in pairs]

    turn1 = one.loss(**one.embed(views, remain, draws(4), 1), turn=1)["loss"].item()
    below = sum(math.exp(change / 20) for change in moved(views[:, 0]))
    assert turn1 == pytest.approx(sum(math.log(math.exp(c) / below) for c in moved(remain[:, 0, 0])))


def test_the_small_network_is_the_authors() -> None:
    spec = {"backbone": "cnn", "channels": [16, 32], "hidden": [256], "activated": False}
    head = {"kind": "linear", "inner": [128]}
    encoder, top = build(options_for(("networks",), "backbone", spec | {"head": head}), (1, 28, 28), 10)  # type: ignore[arg-type]
    sizes = [p.numel() for part in (encoder, top) for p in part.parameters()]
    assert sizes == [16 * 25, 16, 32 * 16 * 25, 32, 32 * 49 * 256, 256, 256 * 128, 128, 1280, 10]
    x = encoder(torch.rand(3, 1, 28, 28))
    assert x.shape == (3, 256) and x.min() < 0
    assert torch.allclose(top(x) + top(-x), 2 * top(torch.zeros_like(x)), atol=1e-5)  # affine
