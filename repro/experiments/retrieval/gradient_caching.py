"""Gradient caching against one pass over the batch: Gao et al. 2021 (arXiv 2101.06983), sections 3.2 and 3.3."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from repro.engine.method import Method, info_nce, unit
from repro.engine.plan import BatchPlan
from repro.engine.stage import Context, Outcome, Stage
from repro.engine.update import Updater
from repro.experiments.kept import Kept
from repro.experiments.retrieval.gradient_caching_options import GradientCachingOptions
from repro.keys import generator, key
from repro.networks.batchnorm import Span
from repro.networks.mlp import perceptron


class GradientCaching(Stage):
    """One step of the engine's Updater on two encoders with InfoNCE, in float64: directly, and in chunks.

    The encoders are perceptrons from `inputs` through the `hidden` widths to `out` dimensions, for queries and
    passages apart; a batch holds `pairs` pairs, and passes in chunks of `chunk`. What a pass keeps is counted
    in bytes of the storages that autograd saves, without the weights, as in `repro.engine.memory`.

    Metrics: `gradient_gap`, the largest difference of any parameter's gradient over the largest gradient;
    `accumulation_gap`, the same for the mean of the chunks' own gradients, with the chunk's negatives only;
    `loss_gap`, the difference of the losses in nats; `kept_share`, the most that the encoders' passes keep at
    a time in chunks over that in one pass; `peak_share`, the same with the loss's part; `time_ratio`, the
    processor time of a step in chunks over that of one pass.
    """

    Options = GradientCachingOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        direct, cached = self._step(ctx, o.pairs, None), self._step(ctx, o.pairs, o.chunk)
        parts = [self._step(ctx, o.chunk, None, start) for start in range(0, o.pairs, o.chunk)]
        mean = [torch.stack(g).mean(0) for g in zip(*(p["gradients"] for p in parts), strict=True)]
        metrics = {
            "gradient_gap": gap(cached["gradients"], direct["gradients"]),
            "accumulation_gap": gap(mean, direct["gradients"]),
            "loss_gap": abs(cached["loss"] - direct["loss"]),
            "kept_share": cached["kept"] / direct["kept"],
            "peak_share": cached["peak"] / direct["peak"],
            "time_ratio": cached["seconds"] / max(direct["seconds"], 1e-9),
        }
        facts = {f"{what}_bytes": [direct[what], cached[what]] for what in ("kept", "peak")}
        return Outcome(metrics, facts=facts)

    def _step(self, ctx: Context, size: int, chunk: int | None, start: int = 0) -> dict[str, Any]:
        """Loss, gradients, bytes and seconds of one step with the pairs [start, start + size)."""
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        widths = (o.inputs, *o.hidden, o.out)
        method = TwoEncoders(o, perceptron(widths), perceptron(widths)).double().to(ctx.device)
        random = generator(key(ctx.seed, ctx.stage, "pairs"))
        views = drawn(o.pairs, o.inputs, random)[start : start + size].to(ctx.device)
        index = torch.arange(size, device=ctx.device)
        optimizer = torch.optim.SGD(method.parameters(), lr=0.0)
        updater = Updater(ctx.setup, BatchPlan(size, size, 1, chunk), method, optimizer, Span(), ctx.seed)
        method.kept = kept = Kept(method.parameters())
        with kept:
            loss, _ = updater.step(0, {"views": views}, {"label": index, "index": index})
        method.kept = None
        gradients = [p.grad.clone() for p in method.parameters() if p.grad is not None]
        began = time.process_time()
        for step in range(o.repeats if size == o.pairs else 0):
            updater.step(step, {"views": views}, {"label": index, "index": index})
        return {
            "loss": loss.item(),
            "gradients": gradients,
            "kept": kept.most["embed"],
            "peak": kept.most["all"],
            "seconds": (time.process_time() - began) / o.repeats,
        }

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"pairs": 4 * min(options.chunk, 4), "chunk": min(options.chunk, 4)})


class TwoEncoders(Method):
    """InfoNCE with one encoder for queries and one, `head`, for passages; no dropout and no BatchNorm."""

    kept: Kept | None = None

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, d) -> q, p (n, out) on the unit sphere."""
        if self.kept:
            self.kept.part = "embed"
        q, p = unit(self.encoder(views[:, 0])), unit(self.head(views[:, 1]))
        if self.kept:
            self.kept.part = "loss"
        return {"q": q, "p": p}

    def loss(self, q: Tensor, p: Tensor) -> Tensor:
        """q, p (n, out) -> cross-entropy in nats of each query's own passage among all of the batch."""
        return info_nce(q @ p.T / self.options.temperature)


def drawn(samples: int, dim: int, random: torch.Generator) -> Tensor:
    """Queries and passages (n, 2, d) ~ N(0, 1), those of a pair correlated by one half, in float64."""
    common, own = (
        torch.randn(samples, 1, dim, generator=random),
        torch.randn(samples, 2, dim, generator=random),
    )
    return ((common + own) / math.sqrt(2)).double()


def gap(a: list[Tensor], b: list[Tensor]) -> float:
    """The largest difference of entries of a and b over the largest entry of b."""
    most = max(y.abs().max().item() for y in b)
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True)) / most
