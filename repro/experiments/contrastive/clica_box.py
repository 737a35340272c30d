"""Contrastive learning inverts the data generating process up to permutations: Zimmermann et al. 2021, section 4.1.

Latents in a box, with sparse steps between the two of a pair; see `clica` for those on a sphere.
"""

from __future__ import annotations

from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from repro import pictures
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.clica import EVALUATED, networks, r2, train
from repro.experiments.contrastive.clica_box_options import ClicaBoxOptions
from repro.keys import generator, key


class ClicaBox(Stage):
    """Trains an encoder f on x = g(z) with InfoNCE, and asks which latent each output of f(g(z)) is.

    z is uniform in [0, 1]^`dim`, its positive from the Laplace distribution of scale λ = `spread` about it, cut off
    at the box; the representations are compared by −‖f − f'‖₁/τ, so that f is to become z τ/λ. g and f are those
    of the sphere's experiment, without the norm at the end of f.

    Metrics on fresh latents, in %: `mcc`, the mean |correlation| of latents and outputs, matched one to one as is
    best, and `raw_mcc`, of latents and g(z); `r2`, of the linear regression of z on f(g(z)).
    """

    Options = ClicaBoxOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        g, f = networks(ctx, o)
        z = torch.rand(EVALUATED, o.dim, generator=generator(key(ctx.seed, ctx.stage, "evaluation"))).to(
            ctx.device
        )

        @torch.no_grad()
        def watch() -> dict[str, float]:
            return {"mcc": matched_correlation(z, f(g(z)))}

        loop = train(ctx, o, g, f, self._pairs, lambda a, b: -torch.cdist(a, b, p=1), watch)
        with torch.no_grad():
            metrics = {
                "mcc": matched_correlation(z, f(g(z))),
                "raw_mcc": matched_correlation(z, g(z)),
                "r2": r2(z, f(g(z))),
            }
        if ctx.setup.main:
            curve = [p["step"] for p in loop.curve], [p["mcc"] for p in loop.curve]
            levels = {"of the mixtures": metrics["raw_mcc"]}
            pictures.plot(ctx.picture("mcc.svg"), {"encoder": curve}, "step", "mean correlation, %", levels)
        return Outcome(metrics, loop.curve, loop.facts)

    def _pairs(self, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        z = torch.rand(samples, self.options.dim, generator=random)
        return z, truncated_laplace(z, self.options.spread, random)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"draws": 50, "hidden": (16,), "steps": 3, "samples": 32}
        return options.model_copy(update=small)


def truncated_laplace(mean: Tensor, scale: float, random: torch.Generator) -> Tensor:
    """One draw about each component of mean, in [0, 1], with density ∝ e^(−|x − mean|/scale) there."""
    mean = mean.double()
    low, high = torch.exp(-mean / scale) / 2, 1 - torch.exp((mean - 1) / scale) / 2
    level = low + (high - low) * torch.rand(mean.shape, generator=random, dtype=mean.dtype)
    below = scale * torch.log(2 * level)
    above = -scale * torch.log(2 * (1 - level))
    return (mean + torch.where(level < 0.5, below, above)).clamp(0, 1).float()


def matched_correlation(z: Tensor, features: Tensor) -> float:
    """The mean |correlation| in % of the components of z (n, d) and features (n, d), under the best permutation."""
    both = torch.cat([z, features], 1).double().T
    correlation = torch.corrcoef(both)[: z.shape[1], z.shape[1] :].abs().cpu()
    rows, columns = linear_sum_assignment(-correlation)
    return 100 * correlation[rows, columns].mean().item()
