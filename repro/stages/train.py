"""Training a network with one of the methods."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from repro import components
from repro.engine import checkpoint, memory
from repro.engine.features import accuracy, extract, frozen
from repro.engine.fit import fit
from repro.engine.keys import key
from repro.engine.method import Method
from repro.engine.online import Online
from repro.engine.plan import batch_plan
from repro.engine.stage import Context, Outcome, Stage, capped, tiny
from repro.errors import UserError
from repro.networks.build import build
from repro.options import (
    BackboneSpec,
    Batch,
    MethodSpec,
    OnlineProbe,
    Optimizer,
    PositiveInt,
    Schedule,
    StageOptions,
    ViewsSpec,
)

WIDEST = 256  # of layers, queues and the like in a smoke run


class Train(Stage):
    """Minimises the method's loss over `epochs` passes; the last weights are the result.

    Metrics: `loss` of the last batch; `spread` of its embeddings, 0 where they have collapsed. With `online`, a
    diagnostic by which nothing is chosen: `online_top1` and `online_top5`, percent of the test split, of a linear
    classifier trained beside the network (its loss is then part of `loss`).
    """

    class Options(StageOptions):
        divides: ClassVar[bool] = True
        method: MethodSpec
        network: BackboneSpec
        views: ViewsSpec
        epochs: PositiveInt
        batch: Batch
        optimizer: Optimizer
        schedule: Schedule = Schedule()
        split: str = "train"
        online: OnlineProbe | None = None

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data = ctx.data(o.split)
        if o.online and (data.labels < 0).any():
            raise UserError(
                f"Stage `{ctx.stage}`: an online probe needs labels, and split `{o.split}` has images without; "
                "leave out `online`, or train on another split."
            )
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        network: Any = build(o.network, o.views.shape(data.shape), data.classes)
        method = components.load(("methods",), o.method.name)(o.method, *network)
        plan = batch_plan(o.batch, ctx.setup.processes)
        micro_batch = ctx.micro_batch or memory.chosen(o, data.shape, data.classes, ctx.setup, plan)
        fitted = Online(o.online, method, network.encoder.dim, data.classes) if o.online else method
        loop = fit(ctx, fitted, data, o, micro_batch)
        if ctx.setup.main:
            checkpoint.save(ctx.folder / "output.safetensors", method.state_dict(), {})
        last = loop.curve[-1]
        metrics = {"loss": last["loss"], "spread": last["spread"]}
        return Outcome(metrics | self._online(ctx, fitted), loop.curve, loop.facts)

    def _online(self, ctx: Context, fitted: Method) -> dict[str, float]:
        """The accuracy of the classifier that was trained beside the network, if there was one."""
        if not isinstance(fitted, Online):
            return {}
        test = ctx.data("test")
        network = nn.Sequential(fitted.method.encoder, fitted.classifier).eval().requires_grad_(False)
        with frozen(network):
            scores = extract(ctx, network, test, self.options.views)
        return {f"online_{name}": value for name, value in accuracy(scores.cpu(), test.labels).items()}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        method = components.load(("methods",), options.method.name).smoke(options.method)
        small = {"method": capped(method, WIDEST), "network": capped(options.network, WIDEST)}
        return tiny(options).model_copy(update=small)
