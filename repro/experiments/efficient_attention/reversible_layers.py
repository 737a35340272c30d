"""Reversible layers against ordinary ones: Kitaev et al. 2020 (arXiv 2001.04451), section 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.efficient_attention.reversible_layers_options import ReversibleLayersOptions
from repro.experiments.kept import Kept
from repro.experiments.retrieval.gradient_caching import gap
from repro.keys import generator, key
from repro.networks.reformer import Reformer
from repro.networks.reversible import back, through
from repro.pictures import plot


class ReversibleLayers(Stage):
    """Forward and backward pass of Reformers of several `depths` in float64, reversibly and by plain autograd.

    Blocks are shared-QK attention, in `hashes` rounds of hashing (0: full), and a feed-forward layer; the loss is
    the cross-entropy of random symbols (`batch`, `length`). What a pass keeps is counted in bytes of the tensors
    that autograd saves, without the weights, at its most, the recomputation in the backward pass included.

    Metrics: `inputs_gap`, the largest error of the inputs as rebuilt from the outputs, over the largest input;
    `gradient_gap`, the largest difference of any gradient over the largest gradient, and `loss_gap` in nats, all
    at the greatest depth; `growth`, bytes at the greatest depth over those at the least, less 1, of the reversible
    pass; `plain_growth`, what a block adds between the last two depths over what it adds between the first two,
    of the plain one; `kept_ratio`, bytes of the plain pass over those of the reversible one, at the greatest depth.
    """

    Options = ReversibleLayersOptions

    def run(self, ctx: Context) -> Outcome:
        curve: list[dict[str, float]] = []
        for depth in self.options.depths:
            plain, reversible = (self._passed(ctx, depth, reversibly) for reversibly in (False, True))
            curve.append({"step": depth, "plain": plain["kept"], "reversible": reversible["kept"]})
            ctx.log(stage=ctx.stage, **curve[-1])
        depths, kept, flat = ([point[k] for point in curve] for k in ("step", "plain", "reversible"))
        added = [(kept[i + 1] - kept[i]) / (depths[i + 1] - depths[i]) for i in (0, -2)]
        metrics = {
            "inputs_gap": reversible["inputs_gap"],
            "gradient_gap": gap(reversible["gradients"], plain["gradients"]),
            "loss_gap": abs(reversible["loss"] - plain["loss"]),
            "growth": flat[-1] / flat[0] - 1,
            "plain_growth": added[1] / added[0],
            "kept_ratio": kept[-1] / flat[-1],
        }
        if ctx.setup.main:
            curves = {"ordinary": (depths, kept), "reversible": (depths, flat)}
            plot(ctx.picture("kept.svg"), curves, "layers", "bytes kept for the backward pass")
        return Outcome(metrics, curve)

    def _passed(self, ctx: Context, depth: int, reversibly: bool) -> dict[str, Any]:
        """Loss, gradients and bytes of one pass through a model that is the same both ways."""
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        model = Reformer(o.symbols, o.length, o.width, o.hidden, o.heads, depth, o.chunk)
        model = model.double().to(ctx.device)
        model.rehash(o.hashes, generator(key(ctx.seed, ctx.stage, "hashes")))
        shape, random = (2, o.batch, o.length), generator(key(ctx.seed, ctx.stage, "symbols"))
        tokens, targets = torch.randint(o.symbols, shape, generator=random).to(ctx.device)
        kept = Kept(model.parameters())
        with kept:
            loss = F.cross_entropy(model(tokens, reversibly).mT, targets)
            loss.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        inputs_gap = rebuilt(model, model.embedded(tokens))
        return {
            "loss": loss.item(),
            "gradients": gradients,
            "kept": kept.most["all"],
            "inputs_gap": inputs_gap,
        }

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"depths": (1, 2, 3), "length": 2 * options.chunk})


@torch.no_grad()
def rebuilt(model: Reformer, x: Tensor) -> float:
    """The largest error of x (n, L, width) as rebuilt from the blocks' outputs, over the largest of its entries."""
    return gap([*back(model.stack, *through(model.stack, x, x))], [x, x])
