"""Training a network with one of the methods."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from repro import components
from repro.data.table import Table
from repro.engine import checkpoint
from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.online import Online
from repro.engine.stage import Context, Outcome, Stage, capped, tiny
from repro.keys import key
from repro.networks.build import alike, build, composite, trained, untrained
from repro.options import EarlierNetwork
from repro.stages.train_options import TrainOptions

WIDEST = 256  # of layers, queues and the like in a smoke run


class Train(Stage):
    """Minimises the method's loss over `epochs` passes; the last weights are the result.

    Metrics: `loss` of the last batch; `embedding_std` of its embeddings, 0 where they have collapsed: then the run is
    stopped, unless a `collapse` is what the recipe expects and is to `record`. With `online`, a
    diagnostic by which nothing is chosen: `online_top1` and `online_top5`, percent of the test split, of a linear
    classifier trained beside the network (its loss is then part of `loss`).
    """

    Options = TrainOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data = labelled(ctx, o.split, o.data) if o.labelled else ctx.table(o.data, o.split)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        fitted = self.method(o, ctx.recipe.stages, data.shape, data.classes)
        method = fitted.method if isinstance(fitted, Online) else fitted
        self._inherit(ctx, method, data)
        if o.collapse == "record":
            fitted.guarded = ()
        loop = fit(ctx, fitted, data, o, ctx.micro_batch)
        method.end()
        if ctx.setup.main:
            made_for = {"shape": data.shape, "classes": data.classes}
            checkpoint.save(ctx.folder / "output.safetensors", method.state_dict(), made_for)
        last = {name: value for point in loop.curve for name, value in point.items()}
        metrics = {name: last[name] for name in ("loss", "embedding_std") if name in last}
        return Outcome(metrics | self._online(ctx, fitted), loop.curve, loop.facts)

    @classmethod
    def method(cls, options: Any, stages: Any, shape: tuple[int, ...], classes: int) -> Method:
        network: Any = build(options.network, options.views.shape(shape), classes)
        further = {
            name: composite(untrained(stages[spec.of], shape, classes))
            if isinstance(spec, EarlierNetwork)
            else composite(build(spec, options.views.shape(shape), classes))
            for name, spec in (options.networks or {}).items()
        }
        method = components.load(("methods",), options.method.name)(options.method, *network, **further)
        still = [
            further[name]
            for name, spec in (options.networks or {}).items()
            if isinstance(spec, EarlierNetwork)
        ]
        still += [method.encoder] if options.freeze else []
        for part in still:
            part.requires_grad_(False)
        method.still = tuple(still)
        if options.online is None:
            return method
        return Online(options.online, method, network.encoder.dim, classes)

    def _inherit(self, ctx: Context, method: Method, data: Table) -> None:
        """The weights that earlier stages left: those to start from, and those of frozen networks."""
        o = self.options
        if o.start:
            earlier = trained(ctx, o.start, data)
            method.encoder.load_state_dict(earlier.encoder.state_dict())
            if alike(method.head, earlier.head):
                method.head.load_state_dict(earlier.head.state_dict())
            tensors, _ = checkpoint.load(ctx.of(o.start) / "output.safetensors")
            for name in method.carried:
                checkpoint.carry(name, getattr(method, name), tensors)
        for name, spec in (o.networks or {}).items():
            if isinstance(spec, EarlierNetwork):
                getattr(method, name).load_state_dict(composite(trained(ctx, spec.of, data)).state_dict())

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
