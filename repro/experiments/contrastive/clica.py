"""Contrastive learning inverts the data generating process: Zimmermann et al. 2021 (arXiv 2102.08850).

Section 4.1: latents on a sphere, a random invertible network as the mixing, and an encoder trained with
InfoNCE on pairs from the conditional distribution that the loss assumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.loop import Loop
from repro.engine.method import info_nce, unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.clica_options import ClicaOptions
from repro.keys import generator, key
from repro.networks.mlp import perceptron

EVALUATED = 4096  # fresh latents, as in the authors' code


class Clica(Stage):
    """Trains an encoder f on x = g(z) with InfoNCE, and asks how z follows from f(g(z)).

    z is uniform on the unit sphere of `dim` dimensions, its positive from von Mises–Fisher of concentration
    κ = `spread` about it; the representations, on the unit sphere too, are compared by f·f'/τ. The encoder has
    `hidden` leaky ReLU layers before its output, and Adam's rate is constant.

    Metrics on fresh latents, in %: `r2`, of the linear regression of z on f(g(z)); `raw_r2`, on g(z) itself.
    """

    Options = ClicaOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        g, f = networks(ctx, o)
        loop = train(ctx, o, g, f, self._pairs, lambda a, b: unit(a) @ unit(b).T)
        z = self._pairs(EVALUATED, generator(key(ctx.seed, ctx.stage, "evaluation")))[0].to(ctx.device)
        with torch.no_grad():
            metrics = {"r2": r2(z, unit(f(g(z)))), "raw_r2": r2(z, g(z))}
        return Outcome(metrics, loop.curve, loop.facts)

    def _pairs(self, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        z = unit(torch.randn(samples, self.options.dim, generator=random))
        return z, von_mises_fisher(z, self.options.spread, random)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"draws": 50, "hidden": (16,), "steps": 3, "samples": 32}
        return options.model_copy(update=small)


def networks(ctx: Context, o: Any) -> tuple[nn.Sequential, nn.Sequential]:
    """The mixing g, and the encoder f before its training: leaky ReLU (slope 0.01) after each hidden layer."""
    g = mixing(o.dim, o.layers, o.draws, generator(key(ctx.seed, ctx.stage, "mixing")))
    torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
    return g.to(ctx.device), perceptron((o.dim, *o.hidden, o.dim), nn.LeakyReLU).to(ctx.device)


def train(
    ctx: Context,
    o: Any,
    g: nn.Module,
    f: nn.Module,
    pairs: Callable[[int, torch.Generator], tuple[Tensor, Tensor]],
    similarity: Callable[[Tensor, Tensor], Tensor],
    watch: Callable[[], dict[str, float]] = dict,
) -> Loop:
    """Trains f by InfoNCE with similarity(f(g(z)), f(g(z'))) / τ (n, n) on fresh pairs z, z' (n, dim) at each step.

    Returns the loop, run to its end; its curve has what `watch` measures, too.
    """
    optimizer = torch.optim.Adam(f.parameters(), lr=o.lr)
    loop = Loop(ctx, o.steps, {"encoder": f, "optimizer": optimizer}, o.samples)
    every = max(1, o.steps // 50)
    for step in loop:
        both = torch.cat(pairs(o.samples, generator(key(ctx.seed, ctx.stage, "pairs", step))))
        a, b = f(g(both.to(ctx.device))).split(o.samples)
        loss = info_nce(similarity(a, b) / o.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % every == 0 or step == o.steps - 1:
            loop.log(loss=loss, **watch())
    return loop


def mixing(dim: int, layers: int, draws: int, random: torch.Generator) -> nn.Sequential:
    """Square layers with leaky ReLU of slope 0.2 between them, without gradient.

    Each is the best conditioned of `draws` matrices of U(−1, 1) entries with columns of unit norm.
    """
    stack: list[nn.Module] = []
    for _ in range(layers):
        pool = F.normalize(2 * torch.rand(draws, dim, dim, generator=random) - 1, dim=1)
        layer = nn.utils.skip_init(nn.Linear, dim, dim, bias=False)
        layer.weight.data = pool[torch.linalg.cond(pool).argmin()].clone()
        stack += [layer, nn.LeakyReLU(0.2)]
    return nn.Sequential(*stack[:-1]).requires_grad_(False)


def von_mises_fisher(mean: Tensor, concentration: float, random: torch.Generator) -> Tensor:
    """One draw about each unit vector of mean (n, d), density ∝ e^(κ cos θ).

    θ, of density ∝ sin^(d−2) θ e^(κ cos θ), is drawn by its tabulated distribution, the direction uniformly.
    """
    n, d = mean.shape
    grid = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    density = grid.sin() ** (d - 2) * torch.exp(concentration * (grid.cos() - 1))
    below = F.pad(torch.cumsum((density[1:] + density[:-1]) / 2, 0), (1, 0))
    level = torch.rand(n, generator=random, dtype=torch.float64) * below[-1]
    cell = torch.searchsorted(below, level, right=True).clamp(1, len(grid) - 1)
    share = (level - below[cell - 1]) / (below[cell] - below[cell - 1])
    theta = (cell - 1 + share)[:, None] * grid[1]
    centre = unit(mean.double())
    aside = torch.randn(n, d, generator=random, dtype=torch.float64)
    aside = unit(aside - (aside * centre).sum(1, keepdim=True) * centre)
    return (theta.cos() * centre + theta.sin() * aside).to(mean.dtype)


def r2(z: Tensor, features: Tensor) -> float:
    """R² in %, averaged over the components of z (n, d), of least squares on features (n, k) and a constant."""
    x = F.pad(features.double(), (0, 1), value=1.0)
    z = z.double()
    rest = z - x @ torch.linalg.lstsq(x, z).solution
    return 100 * (1 - rest.square().sum(0) / (z - z.mean(0)).square().sum(0)).mean().item()
