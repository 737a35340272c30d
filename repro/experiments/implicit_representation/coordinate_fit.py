"""What the fits of coordinate networks share: the networks that are compared, and their training side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine import optim
from repro.engine.loop import Loop
from repro.engine.stage import Context
from repro.keys import key
from repro.networks import coordinate

LOGGED = 50  # points of the curve in a whole run
CHUNK = 16384  # places at a time: beyond that, fresh memory for the activations costs a third of the time


def contenders(ctx: Context, o: Any, inputs: int, outputs: int, samples: int = 0) -> nn.ModuleDict:
    """The SIREN and the networks it is held `against`, of the same width and depth, each from a key of its own.

    `samples` along one coordinate set the octaves of `relu_pe`, the ReLU network behind a positional encoding.
    """
    return nn.ModuleDict(
        {name: _network(ctx, o, name, inputs, outputs, samples) for name in ("siren", *o.against)}
    ).to(ctx.device)


def _network(ctx: Context, o: Any, name: str, inputs: int, outputs: int, samples: int) -> nn.Module:
    torch.manual_seed(key(ctx.seed, ctx.stage, "weights", name))
    if name == "siren":
        return coordinate.siren(inputs, outputs, o.width, o.hidden, o.omega)
    if name == "relu_pe":
        octaves = coordinate.nyquist_frequencies(samples)
        encoded = inputs + 2 * inputs * octaves
        relu = coordinate.perceptron(encoded, outputs, o.width, o.hidden, nn.ReLU)
        return nn.Sequential(coordinate.PositionalEncoding(octaves), relu)
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[name]
    return coordinate.perceptron(inputs, outputs, o.width, o.hidden, activation)


def train(ctx: Context, o: Any, nets: nn.ModuleDict, x: Tensor, target: Tensor) -> Loop:
    """Fits every network to the target (n, o) at all x (n, d), `steps` times; returns the loop, run to its end."""
    optimizer = optim.build(o.optimizer, nets.parameters())
    loop = Loop(ctx, o.steps, {"nets": nets, "optimizer": optimizer}, len(x) * len(nets))
    for step in loop:
        losses = update(nets, optimizer, x, target)
        if step % max(1, o.steps // LOGGED) == 0 or step == o.steps - 1:
            loop.log(loss=sum(losses.values()), **{f"{name}_mse": mse for name, mse in losses.items()})
    return loop


def update(
    nets: nn.ModuleDict, optimizer: torch.optim.Optimizer, xy: Tensor, target: Tensor
) -> dict[str, Tensor]:
    """One step of every network at all places; returns the squared errors before it.

    Adam works parameter by parameter, so that one optimizer over all networks is one for each.
    """
    losses = {}
    optimizer.zero_grad()
    for name, net in nets.items():
        losses[name] = torch.zeros((), device=xy.device)
        for some, values in zip(xy.split(CHUNK), target.split(CHUNK), strict=True):
            share = (net(some) - values).square().sum() / target.numel()
            share.backward()
            losses[name] += share.detach()
    optimizer.step()
    return losses
