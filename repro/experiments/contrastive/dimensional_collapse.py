"""Linear networks under InfoNCE with strong augmentation: Jing et al. 2021 (arXiv 2110.09348), sections 4 and 5."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.loop import Loop
from repro.engine.method import info_nce
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.dimensional_collapse_options import DimensionalCollapseOptions
from repro.keys import generator, key


class DimensionalCollapse(Stage):
    """Gradient descent in float64 on one or two square linear layers without biases, from Gaussian weights.

    Samples x ~ N(0, I); the other view of x is x + ξ, ξ Gaussian with the variance `noise` in the last
    `augmented` directions and `clean_noise` in the rest. With `samples`, InfoNCE over that many,
    drawn at each step; without, its limit for infinitely many negatives, in closed form.

    Metrics, of the product of the layers: `low` and `high`, the means of its `augmented` lowest singular values
    and of the rest; `low_max`; `ratio`, low over high; `decades`, log₁₀ of the largest over the
    smallest (or over 1e-12).
    """

    Options = DimensionalCollapseOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        variance = noise_variances(o).to(ctx.device)
        model = Layers(o, generator(key(ctx.seed, ctx.stage, "weights"))).to(ctx.device)
        optimizer = torch.optim.SGD(model.parameters(), o.lr)
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, o.samples or 1)
        for step in loop:
            w = model.product()
            loss = sampled_loss(w, variance, o.samples) if o.samples else population_loss(w, variance)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % max(1, o.steps // 20) == 0:
                values = torch.linalg.svdvals(w.detach())
                loop.log(loss=loss, low=values[-o.augmented :].mean(), high=values[: -o.augmented].mean())
        with torch.no_grad():
            values = torch.linalg.svdvals(model.product())
        low, high = values[-o.augmented :], values[: -o.augmented]
        metrics = {
            "low": low.mean().item(),
            "low_max": low.max().item(),
            "high": high.mean().item(),
            "ratio": (low.mean() / high.mean()).item(),
            "decades": (values[0] / values[-1].clamp(min=1e-12)).log10().item(),
        }
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 20, "samples": options.samples and 32})


class Layers(nn.Module):
    """Linear layers (d, d)."""

    def __init__(self, o: Any, random: torch.Generator):
        super().__init__()
        shape = (o.layers, o.dim, o.dim)
        self.weights = nn.Parameter(o.init_std * torch.randn(shape, generator=random, dtype=torch.float64))

    def product(self) -> Tensor:
        """The matrix (d, d) of all layers, the first applied first."""
        return reduce(torch.mm, reversed(self.weights.unbind()))


def noise_variances(o: Any) -> Tensor:
    """(d,) the variances of ξ."""
    variance = torch.full((o.dim,), o.clean_noise, dtype=torch.float64)
    variance[-o.augmented :] = o.noise
    return variance


def sampled_loss(w: Tensor, variance: Tensor, batch: int) -> Tensor:
    """InfoNCE of section 4 in nats, from −|·|²/2 of embeddings; the negatives are the other first views."""
    x, noise = torch.randn(2, batch, len(w), dtype=w.dtype).to(w.device)
    z, other = x @ w.T, (x + variance.sqrt() * noise) @ w.T
    logits = z @ z.T - z.square().sum(1) / 2  # −|z_i − z_j|²/2 less a constant of the row
    positive = (z * other).sum(1) - other.square().sum(1) / 2
    logits = torch.where(torch.eye(batch, dtype=torch.bool, device=w.device), positive, logits)
    return info_nce(logits)


def population_loss(w: Tensor, variance: Tensor) -> Tensor:
    """½ E |Wξ|² + E_z log E_z⁻ exp(−|z − z⁻|²/2) in nats, the limit of InfoNCE less the log of its negatives.

    With S = W Wᵀ the covariance of z and z⁻ it is ½ tr(W diag(variance) Wᵀ) − ½ log det(I + S)
    − ½ tr(S (I + S)^(−1)).
    """
    eye = torch.eye(len(w), dtype=w.dtype, device=w.device)
    s = w @ w.T
    attraction = (w.square() * variance).sum()
    return (attraction - torch.logdet(eye + s) - len(w) + torch.linalg.inv(eye + s).trace()) / 2


def equilibrium(variance: float) -> float:
    """The singular value of the minimiser of `population_loss` along a direction in which ξ has this variance k.

    With y = 1/(1 + w²), the derivative by w² is (k − y − y²)/2: w² = 1/y − 1 for k < 2 and w = 0 from there on.
    """
    if variance >= 2:
        return 0.0
    return (2 / ((1 + 4 * variance) ** 0.5 - 1) - 1) ** 0.5
