"""Free embeddings under cross-entropy and SupCon, and the minima of both: Graf et al. 2021 (arXiv 2102.08817).

There is no network and no data: the embeddings themselves are optimised. At the minimum each class sits on
one vertex of a regular simplex, and the loss has a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import unit
from repro.engine.stage import Context
from repro.experiments.supervised_contrastive.simplex_options import SimplexOptions
from repro.keys import generator, key
from repro.methods.supervised.supcon import supcon_loss
from repro.pictures import plot
from repro.stages.minimise import Minimise, Problem


class Simplex(Minimise):
    """Minimises a supervised loss over K classes of n free embeddings each, in float64, from a random start.

    `loss: supcon`: embeddings on the unit sphere, temperature τ, the whole set as one batch.
    `loss: cross_entropy`: embeddings in the unit ball, a linear classifier with Frobenius norm ≤ `weight_norm`.

    Metrics: `loss` in nats per sample; `gap`, the loss less its closed-form minimum; `cosine`, the largest
    between two class means (−1/(K−1) for a regular simplex and more for any other arrangement), and its
    average `cosine_mean`; `spread`, the largest distance of an embedding from its class mean.
    """

    Options = SimplexOptions

    def problem(self, ctx: Context) -> FreeEmbeddings:
        return _PROBLEMS[self.options.loss](self.options, generator(key(ctx.seed, ctx.stage, "start")))

    def draw(self, ctx: Context, problem: FreeEmbeddings, curve: Sequence[Mapping[str, float]]) -> None:
        draw(ctx, curve, problem.bound)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 2})


class FreeEmbeddings(Problem):
    """Embeddings (K n, d) that are parameters themselves, under a loss whose minimum is `bound`."""

    bound: float

    def __init__(self, options: Any, random: torch.Generator):
        super().__init__()
        self.free, self.label = start(options, random)
        self.classes, self.samples = options.classes, options.classes * options.points

    def embeddings(self) -> Tensor:
        """(K n, d), class by class."""
        raise NotImplementedError

    def metrics(self) -> dict[str, float]:
        loss = self().item()
        geometry = simplex_geometry(self.embeddings().unflatten(0, (self.classes, -1)))
        return {"loss": loss, "gap": loss - self.bound, **geometry}


class SupCon(FreeEmbeddings):
    """The loss of Khosla et al. 2020 as a function of free embeddings on the unit sphere."""

    def __init__(self, options: Any, random: torch.Generator):
        super().__init__(options, random)
        self.temperature = options.temperature
        self.bound = supcon_bound(options.classes, options.points, options.temperature)

    def embeddings(self) -> Tensor:
        return unit(self.free)

    def forward(self) -> Tensor:
        return supcon_loss(self.embeddings(), self.label, self.temperature)


class CrossEntropy(FreeEmbeddings):
    """Softmax cross-entropy as a function of free embeddings in the unit ball and a bounded classifier."""

    def __init__(self, options: Any, random: torch.Generator):
        super().__init__(options, random)
        self.classifier = nn.Parameter(
            torch.randn(options.classes, options.dim, generator=random, dtype=torch.float64)
        )
        self.weight_norm = options.weight_norm
        self.bound = cross_entropy_bound(options.classes, options.weight_norm)

    def embeddings(self) -> Tensor:
        return into_ball(self.free, 1.0)

    def forward(self) -> Tensor:
        weights = into_ball(self.classifier.flatten(), self.weight_norm).view_as(self.classifier)
        return F.cross_entropy(self.embeddings() @ weights.T, self.label)


_PROBLEMS: dict[str, type[SupCon | CrossEntropy]] = {"supcon": SupCon, "cross_entropy": CrossEntropy}


def start(options: Any, random: torch.Generator) -> tuple[nn.Parameter, nn.Buffer]:
    """Gaussian embeddings (K n, d) of expected squared norm 1/4, inside the ball; labels (K n,) class by class."""
    k, n, d = options.classes, options.points, options.dim
    free = torch.randn(k * n, d, generator=random, dtype=torch.float64) / (2 * math.sqrt(d))
    return nn.Parameter(free), nn.Buffer(torch.arange(k).repeat_interleave(n), persistent=False)


def into_ball(x: Tensor, radius: float) -> Tensor:
    """x (…, d) -> the nearest vectors of norm ≤ radius."""
    return x * (radius / x.norm(dim=-1, keepdim=True)).clamp(max=1)


def draw(ctx: Context, curve: Sequence[Mapping[str, float]], least: float) -> None:
    """The loss at the end of each round of L-BFGS, and its closed-form minimum."""
    steps, losses = [point["step"] for point in curve], [point["loss"] for point in curve]
    plot(
        ctx.picture("loss.svg"),
        {"loss": (steps, losses)},
        "round of L-BFGS",
        "loss [nats]",
        {"minimum": least},
    )


def simplex_geometry(z: Tensor) -> dict[str, float]:
    """z (K, n, d), class by class -> how near the classes are to the vertices of a regular simplex."""
    k = len(z)
    means = z.mean(1)
    pairs = torch.triu_indices(k, k, offset=1, device=z.device)
    cosines = (unit(means) @ unit(means).T)[pairs[0], pairs[1]]
    return {
        "cosine": cosines.max().item(),
        "cosine_mean": cosines.mean().item(),
        "spread": (z - means[:, None]).norm(dim=-1).max().item(),
    }


def supcon_bound(classes: int, points: int, temperature: float) -> float:
    """The minimum in nats per anchor, with all b = K n samples in one batch, l = n of each class:

    log(l − 1 + (b − l) e^(−K/((K − 1) τ))).
    """
    negatives = (classes - 1) * points
    return math.log(points - 1 + negatives * math.exp(-classes / ((classes - 1) * temperature)))


def cross_entropy_bound(classes: int, weight_norm: float) -> float:
    """The minimum in nats per sample, embeddings in the unit ball and ‖W‖_F ≤ r = `weight_norm`:

    log(1 + (K − 1) e^(−r √K/(K − 1))).
    """
    margin = weight_norm * math.sqrt(classes) / (classes - 1)
    return math.log(1 + (classes - 1) * math.exp(-margin))
