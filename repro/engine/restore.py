"""A trained method as an earlier stage left it, and its objective on other data."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from repro import components
from repro.data.table import Table
from repro.engine import checkpoint
from repro.engine.draws import Draws
from repro.engine.method import Method, call
from repro.engine.stage import Context
from repro.engine.streams import facts_of
from repro.keys import key
from repro.networks.build import meet, shape_of
from repro.networks.layout import channels_last
from repro.views.loader import loader


def restored(ctx: Context, stage: str, data: Table) -> Method:
    """What a `train` stage trained, frozen and in eval mode, on the run's device."""
    options: Any = ctx.recipe.stages[stage]
    kind = components.load(("stages",), options.kind)
    tensors, made_for = checkpoint.load(ctx.of(stage) / "output.safetensors")
    alone = options.model_copy(update={"online": None})
    made = kind.method(alone, ctx.recipe.stages, *shape_of(made_for, data))
    method: Method = made.to(ctx.device)
    channels_last(method)
    meet(method, data)
    method.load_state_dict(tensors, strict=False)  # banks of the training samples have no place here
    return method.eval().requires_grad_(False)


@torch.no_grad()
def mean_losses(ctx: Context, method: Method, data: Table, views: Any, batch: int) -> dict[str, float]:
    """The means over the samples of what the method's loss gives for batches of `batch` of them, in their order."""
    parts = torch.arange(len(data)).split(batch)
    drawn = key(ctx.seed, ctx.stage, "losses")
    sums: dict[str, float] = {}
    with closing(loader(data, views, ctx.device, lambda step: (parts[step], drawn), len(parts))) as source:
        for step, index in enumerate(parts):
            facts: dict[str, Any] = facts_of(data, index, ctx.device)
            for name, value in _losses(ctx, method, source(step), facts, key(drawn, step)).items():
                sums[name] = sums.get(name, 0.0) + len(index) * float(value)
    return {name: value / len(data) for name, value in sums.items()}


def _losses(
    ctx: Context, method: Method, views: dict[str, Tensor], facts: dict[str, Any], drawn: int
) -> dict[str, Tensor]:
    rows = len(facts["index"])
    asked = {"step": 0, "total": 1, "epoch": 0, "epochs": 1, "per_epoch": 1, "turn": 0}
    with ctx.setup.autocast():
        drawing = {"draws": Draws(key(drawn, "embed"), 0, rows, ctx.device)}
        embedded = call(method.embed, {**views, **facts, **asked, **drawing})
    exact = {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in embedded.items()}
    drawing = {"draws": Draws(key(drawn, "loss"), 0, rows, ctx.device)}
    result = call(method.loss, {**facts, **asked, **exact, **drawing})
    return result if isinstance(result, dict) else {"loss": result}
