"""What an earlier stage's network makes of samples, for the stages that choose among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from repro.data.table import Table
from repro.engine.features import extract, frozen
from repro.engine.plan import even
from repro.engine.stage import Context
from repro.errors import UserError
from repro.keys import key
from repro.networks.build import trained
from repro.networks.dropout import convert


def features(ctx: Context, stage: str, data: Table) -> Tensor:
    """(n, dim) of the stage's encoder, on the run's device."""
    encoder = trained(ctx, stage, data).encoder
    with frozen(encoder):
        return extract(ctx, encoder, data, _views(ctx, stage))


def probabilities(ctx: Context, stage: str, data: Table) -> Tensor:
    """(n, classes) of the stage's classifier, on the run's device."""
    network = _classifier(ctx, stage, data)
    with frozen(network):
        return extract(ctx, network, data, _views(ctx, stage)).softmax(1)


def dropped(ctx: Context, stage: str, data: Table, passes: int) -> Iterator[Tensor]:
    """(n, classes) of the stage's classifier in so many passes with its dropout at work.

    The draws are keyed by sample and pass, so that the division over processes does not show in them.
    """
    network, shares = _classifier(ctx, stage, data), even(len(data), ctx.setup.processes)
    masks = convert(network)
    if not masks.layers:
        raise UserError(f"Stage `{ctx.stage}`: the network of stage `{stage}` has no dropout to draw from.")
    for layer in masks.layers:
        layer.train()
    for number in range(passes):
        first = sum(shares[: ctx.setup.rank])
        draws = key(ctx.seed, ctx.stage, "dropout", number)

        def forward(x: Tensor, draws: int = draws) -> Tensor:
            nonlocal first
            masks.begin(draws, first, len(x), x.device)
            first += len(x)
            result: Tensor = network(x)
            return result

        yield extract(ctx, forward, data, _views(ctx, stage)).softmax(1)


def _classifier(ctx: Context, stage: str, data: Table) -> nn.Module:
    network = trained(ctx, stage, data)
    return nn.Sequential(network.encoder, network.head).eval()


def _views(ctx: Context, stage: str) -> Any:
    options: Any = ctx.recipe.stages[stage]
    return options.views


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """x (n, d), y (m, d) -> (n, m), not below 0, in float32 at least."""
    return torch.cdist(x.float(), y.float(), compute_mode="donot_use_mm_for_euclid_dist").square()
