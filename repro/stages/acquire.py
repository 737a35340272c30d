"""Active learning: which samples are to be labelled next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from repro.engine.artifacts import Numbered, leave, left, numbered
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.keys import hashed, key
from repro.stages.acquire_options import AcquireOptions
from repro.stages.outputs import dropped, features, probabilities, squared_distances


class Acquire(Stage):
    """Leaves an `index`: the rows of `also`, and after them `count` more of the pool, chosen without their labels.

    By uncertainty those come first of which the classifier has the least largest probability (`least_confidence`),
    the least `margin` between the two largest, the largest `entropy`, or whose label and the dropout masks tell most
    about each other (`bald`: Houlsby et al. 2011, arXiv 1112.5745, with dropout as in Gal et al. 2017,
    arXiv 1703.02910); `coreset` takes what is farthest, in the encoder's features, from all that is labelled (the
    greedy k-centres of Sener and Savarese 2018, arXiv 1708.00489, Algorithm 1). Of equals the random order decides.
    Metric: `rows`, how many there are.
    """

    Options = AcquireOptions

    def run(self, ctx: Context) -> Outcome:
        o, pool = self.options, numbered(ctx, self.options.data, self.options.split)
        known = torch.tensor([], dtype=torch.int64)
        if o.also:
            known = left(ctx, o.also, "index", pool.whole).tensors["index"]
        count = o.count if o.also else o.first or o.count
        free = (~torch.isin(pool.rows, known)).nonzero()[:, 0]
        if len(free) < count:
            raise UserError(
                f"Stage `{ctx.stage}`: {count} rows are to be added, and {len(free)} are left in the pool."
            )
        order = hashed(key(ctx.seed, ctx.stage, "acquire"), pool.rows[free]).argsort(stable=True)
        kept = max(count, round((o.share or 1) * len(free)))
        free = free[order[:kept]]  # from here on the first of equals is taken
        added = pool.rows[free[self._best(ctx, pool, free, known, count)]]
        leave(ctx, "index", {"index": torch.cat([known, added])}, pool)
        return Outcome({"rows": float(len(known) + count)})

    def _best(self, ctx: Context, pool: Numbered, free: Tensor, known: Tensor, count: int) -> Tensor:
        """(count,): which of the pool's samples `free` (n,) are taken, when the rows `known` (m,) are labelled."""
        o = self.options
        if o.of is None or o.by == "random":
            return torch.arange(count)
        if o.by == "coreset":
            z = features(ctx, o.of, pool.whole.take(torch.cat([pool.rows[free], known])))
            return farthest(z[: len(free)], z[len(free) :], count).cpu()
        table = pool.table.take(free)
        if o.by == "bald":
            score = information(dropped(ctx, o.of, table, o.passes))
        else:
            score = uncertainty(probabilities(ctx, o.of, table), o.by)
        return score.cpu().argsort(descending=True, stable=True)[:count]

    @classmethod
    def smoke(cls, options: Any) -> Any:
        first = options.first and min(options.first, 4)
        return options.model_copy(update={"count": min(options.count, 2), "first": first, "passes": 2})


def uncertainty(p: Tensor, by: str) -> Tensor:
    """p (n, classes) -> (n,), larger where the classifier is less sure."""
    if by == "entropy":
        return torch.special.entr(p).sum(1)
    best = p.topk(min(2, p.shape[1]), dim=1).values
    return -best[:, 0] if by == "least_confidence" else best[:, -1] - best[:, 0]


def information(passes: Iterable[Tensor]) -> Tensor:
    """Passes of p (n, classes) -> (n,): H of the mean of p less the mean of H of p, in nats."""
    total, entropy, count = torch.zeros(()), torch.zeros(()), 0
    for p in passes:
        total, entropy, count = total.to(p) + p, entropy.to(p) + torch.special.entr(p).sum(1), count + 1
    return torch.special.entr(total / count).sum(1) - entropy / count


def farthest(z: Tensor, centres: Tensor, count: int) -> Tensor:
    """z (n, d), centres (m, d) -> (count,): again and again the row farthest from all centres, which then joins them.

    Without centres the first row is the first.
    """
    nearest = torch.full((len(z),), torch.inf, device=z.device)
    for some in centres.split(1024) if len(centres) else ():
        nearest = torch.minimum(nearest, squared_distances(z, some).amin(1))
    chosen = []
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, squared_distances(z, z[chosen[-1:]])[:, 0])
        nearest[chosen[-1]] = -1.0
    return torch.tensor(chosen, dtype=torch.int64)
