"""Training a network with one of the methods."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from repro import components
from repro.engine import checkpoint
from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.fit import fit
from repro.engine.keys import key
from repro.engine.method import Method, names
from repro.engine.online import Online
from repro.engine.stage import Context, Outcome, Stage, capped, tiny
from repro.networks.build import build
from repro.stages.train_options import TrainOptions

WIDEST = 256  # of layers, queues and the like in a smoke run


class Train(Stage):
    """Minimises the method's loss over `epochs` passes; the last weights are the result.

    Metrics: `loss` of the last batch; `spread` of its embeddings, 0 where they have collapsed: then the run is
    stopped, unless a `collapse` is what the recipe expects and is to `record`. With `online`, a
    diagnostic by which nothing is chosen: `online_top1` and `online_top5`, percent of the test split, of a linear
    classifier trained beside the network (its loss is then part of `loss`).
    """

    Options = TrainOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        kind = components.load(("methods",), o.method.name)
        data = labelled(ctx, o.split) if o.online or names(kind.loss, "label") else ctx.data(o.split)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        fitted = self.method(o, None, data.shape, data.classes)
        if o.collapse == "record":
            fitted.guarded = ()
        loop = fit(ctx, fitted, data, o, ctx.micro_batch)
        method = fitted.method if isinstance(fitted, Online) else fitted
        method.end()
        if ctx.setup.main:
            checkpoint.save(ctx.folder / "output.safetensors", method.state_dict(), {})
        last = {name: value for point in loop.curve for name, value in point.items()}
        metrics = {name: last[name] for name in ("loss", "spread") if name in last}
        return Outcome(metrics | self._online(ctx, fitted), loop.curve, loop.facts)

    @classmethod
    def method(cls, options: Any, of: Any, shape: tuple[int, ...], classes: int) -> Method:
        network: Any = build(options.network, options.views.shape(shape), classes)
        method = components.load(("methods",), options.method.name)(options.method, *network)
        if options.online is None:
            return method
        return Online(options.online, method, network.encoder.dim, classes)

    def _online(self, ctx: Context, fitted: Method) -> dict[str, float]:
        """The accuracy of the classifier that was trained beside the network, if there was one."""
        if not isinstance(fitted, Online):
            return {}
        test = labelled(ctx, "test")
        network = nn.Sequential(fitted.method.encoder, fitted.classifier).eval().requires_grad_(False)
        with frozen(network):
            scores = extract(ctx, network, test, self.options.views)
        return {f"online_{name}": value for name, value in accuracy(scores.cpu(), test.labels).items()}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        method = components.load(("methods",), options.method.name).smoke(options.method)
        small = {"method": capped(method, WIDEST), "network": capped(options.network, WIDEST)}
        return tiny(options).model_copy(update=small)
