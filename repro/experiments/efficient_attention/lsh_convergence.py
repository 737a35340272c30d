"""Hashed attention against full attention: Kitaev et al. 2020 (arXiv 2001.04451), section 2."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.efficient_attention.lsh_convergence_options import LshConvergenceOptions
from repro.keys import generator, key
from repro.networks.attention.full import shared_qk, unit
from repro.networks.attention.lsh import arranged, hashed, lsh, reaches, rotations
from repro.pictures import plot

NAMES = {
    "error": "error of the output",
    "bucket": "partners in one bucket",
    "recall": "partners within reach",
    "mass": "attention within reach",
}


class LshConvergence(Stage):
    """Shared queries and keys of which those of the second half each have one partner, at `cosine`, in the first.

    Partner of position L/2 + i is i; all else is random: directions uniform on the sphere, queries of the length
    `scale`, so that a pair's score is scale × cosine, and standard normal values. Each of `draws` draws new
    vectors and as many rounds of hashing as the most of `hashes`, of which the first n are used for n rounds.

    Metrics, for n rounds, over the second half: `bucket_<n>`, the share whose partner is in its bucket in some
    round; `recall_<n>`, the same where it is also within reach of the chunks; `mass_<n>`, the mean weight, in full
    attention, of what is within reach; `error_<n>`, ‖hashed − full‖/‖full‖ of the outputs. `monotone` is 1 if
    bucket, recall and mass never fall from one n to the next in any draw, `error_monotone` if the errors, in the
    mean over the draws, never rise; else 0.
    """

    Options = LshConvergenceOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        loop = Loop(ctx, o.draws, {}, o.length)
        for draw in loop:
            loop.log(**self._measured(ctx, generator(key(ctx.seed, ctx.stage, draw))))
        names = [name for name in loop.curve[0] if name not in ("step", "monotone")]
        metrics = {name: sum(point[name] for point in loop.curve) / o.draws for name in names}
        metrics["monotone"] = min(point["monotone"] for point in loop.curve)
        kinds = {kind: [metrics[f"{kind}_{n}"] for n in o.hashes] for kind in NAMES}
        metrics["error_monotone"] = float(rises([-e for e in kinds["error"]]))
        if ctx.setup.main:
            curves = {NAMES[kind]: (o.hashes, values) for kind, values in kinds.items()}
            plot(ctx.picture("hashes.svg"), curves, "rounds of hashing", "share, relative error", log="x")
        return Outcome(metrics, loop.curve, loop.facts)

    def _measured(self, ctx: Context, random: torch.Generator) -> dict[str, float]:
        o, half = self.options, self.options.length // 2
        qk = o.scale * paired(half, o.dim, o.cosine, random).to(ctx.device)
        v = torch.randn(o.length, o.dim, generator=random, dtype=torch.float64).to(ctx.device)
        planes = rotations(1, max(o.hashes), o.dim, o.buckets, random)[0].to(qk)
        buckets = hashed(qk, planes)
        cells = arranged(buckets, o.chunk)[2]
        within = reaches(cells[:, half:, None], cells[:, None, :])
        same = buckets[:, half:] == buckets[:, :half]
        weights, full = attention(qk)[half:], shared_qk(qk, v)[half:]
        measured: dict[str, float] = {}
        for n in o.hashes:
            reached = within[:n].any(0)
            hashing = lsh(qk, v, planes[:n], o.chunk)[half:]
            measured |= {
                f"bucket_{n}": same[:n].any(0).double().mean().item(),
                f"recall_{n}": reached[:, :half].diagonal().double().mean().item(),
                f"mass_{n}": (weights * reached).sum(1).mean().item(),
                f"error_{n}": ((hashing - full).norm() / full.norm()).item(),
            }
        rising = [rises([measured[f"{kind}_{n}"] for n in o.hashes]) for kind in ("bucket", "recall", "mass")]
        return {**measured, "monotone": float(all(rising))}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"length": 32, "chunk": 8, "draws": 2})


def paired(half: int, dim: int, cosine: float, random: torch.Generator) -> Tensor:
    """Unit vectors (2 half, dim) in float64: `half` uniform ones, and then one at `cosine` to each of them."""
    first, other = unit(torch.randn(2, half, dim, generator=random, dtype=torch.float64))
    across = unit(other - (other * first).sum(-1, keepdim=True) * first)
    return torch.cat([first, cosine * first + (1 - cosine**2) ** 0.5 * across])


def attention(qk: Tensor) -> Tensor:
    """The weights (L, L) of full causal shared-QK attention: its output for the values I."""
    return shared_qk(qk, torch.eye(len(qk)).to(qk))


def rises(values: list[float]) -> bool:
    """Whether no value is below the one before it, but for rounding."""
    return all(b >= a - 1e-12 for a, b in pairwise(values))
