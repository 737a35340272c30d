"""Training a network with one of the methods."""

from __future__ import annotations

from typing import Any

import torch

from repro import components
from repro.engine import checkpoint, memory
from repro.engine.fit import fit
from repro.engine.keys import key
from repro.engine.plan import batch_plan
from repro.engine.stage import Context, Outcome, Stage, tiny
from repro.networks.build import build
from repro.options import (
    BackboneSpec,
    Batch,
    MethodSpec,
    Optimizer,
    PositiveInt,
    Schedule,
    StageOptions,
    ViewsSpec,
)


class Train(Stage):
    """Minimises the method's loss over `epochs` passes; the last weights are the result.

    Metrics: `loss` of the last batch; `spread` of its embeddings, 0 where they have collapsed.
    """

    class Options(StageOptions):
        method: MethodSpec
        network: BackboneSpec
        views: ViewsSpec
        epochs: PositiveInt
        batch: Batch
        optimizer: Optimizer
        schedule: Schedule = Schedule()
        split: str = "train"

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data = ctx.data(o.split)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        network = build(o.network, o.views.shape(data.shape), data.classes)
        method = components.load(("methods",), o.method.name)(o.method, *network)
        plan = batch_plan(o.batch, ctx.setup.processes)
        micro_batch = ctx.micro_batch or memory.chosen(o, data.shape, data.classes, ctx.setup, plan)
        loop = fit(ctx, method, data, o, micro_batch)
        if ctx.setup.main:
            checkpoint.save(ctx.folder / "output.safetensors", method.state_dict(), {})
        last = loop.curve[-1]
        return Outcome({"loss": last["loss"], "spread": last["spread"]}, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return tiny(options)
