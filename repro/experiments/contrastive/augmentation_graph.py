"""The spectral contrastive loss on a finite augmentation graph: HaoChen et al. 2021 (arXiv 2106.04156).

There is no network and no data set: the features of all augmented points are optimised under the population
loss, as in section 3.2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.stage import Context
from repro.experiments.contrastive.augmentation_graph_options import AugmentationGraphOptions
from repro.keys import generator, key
from repro.stages.minimise import Minimise, Problem


class AugmentationGraph(Minimise):
    """k free features for each augmented point, minimising the population loss in float64 from a random start.

    There are `classes` rings of `ring` points. An augmentation moves a point to itself (1/2) or a neighbour on
    its ring (1/4 each) and with probability `mix` anywhere instead. `noise` multiplies these probabilities by
    log-normal factors of that scale, differently for each seed, so that the eigenvalues differ. Each of the
    `steps` is up to 50 iterations of L-BFGS.

    Metrics: `loss`; `gap`, the loss plus the sum of the k largest squared eigenvalues of the normalised
    adjacency; `angle`, the sine of the largest angle between a feature and the space of the eigenvectors with
    the k largest eigenvalues (and equal ones). Of the least-squares probe of the ring on the features:
    `residual`, its population loss; `bound`, the share φ of positive pairs from two rings over 1 − λ_{k+1}; and
    `error`, the misclassified points in %.
    """

    Options = AugmentationGraphOptions

    def problem(self, ctx: Context) -> Rings:
        return Rings(self.options, generator(key(ctx.seed, ctx.stage, "graph")))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 1})


class Features(Problem):
    """The population loss as a function of the features f (n, k) of all points."""

    def __init__(self, joint: Tensor, k: int, random: torch.Generator):
        super().__init__()
        self.samples, self.joint = len(joint), nn.Buffer(joint, persistent=False)
        self.free = nn.Parameter(torch.randn(len(joint), k, generator=random, dtype=torch.float64))

    def forward(self) -> Tensor:
        return population_loss(self.free, self.joint)


class Rings(Features):
    """Features on the graph of the rings, held against its eigenvectors."""

    def __init__(self, o: Any, random: torch.Generator):
        super().__init__(joint_distribution(o, random), o.k, random)
        self.label = torch.arange(o.classes).repeat_interleave(o.ring)

    def metrics(self) -> dict[str, float]:
        loss, features, joint, k = self().item(), self.free.cpu(), self.joint.cpu(), self.free.shape[1]
        values, vectors = torch.linalg.eigh(normalised(joint))
        values, vectors = values.flip(0), vectors.flip(1)
        best = -values[:k].clamp(min=0).square().sum().item()
        top = vectors[:, values >= values[k - 1] - 1e-9]
        residual, error = probe(features, joint.sum(1), self.label)
        apart = joint[self.label[:, None] != self.label].sum().item()
        return {
            "loss": loss,
            "gap": loss - best,
            "angle": outside(joint.sum(1).sqrt()[:, None] * features, top),
            "residual": residual,
            "bound": apart / (1 - values[k].item()),
            "error": error,
        }


def joint_distribution(o: Any, random: torch.Generator) -> Tensor:
    """w (n, n): the probability of two augmentations of one point, drawn uniformly; ring by ring."""
    ring = torch.eye(o.ring, dtype=torch.float64)
    ring = ring / 2 + (ring.roll(1, 0) + ring.roll(-1, 0)) / 4
    n = o.classes * o.ring
    moves = (1 - o.mix) * torch.block_diag(*[ring] * o.classes) + o.mix / n
    moves = moves * (o.noise * torch.randn(n, n, generator=random, dtype=torch.float64)).exp()
    moves = moves / moves.sum(1, keepdim=True)
    return moves.T @ moves / n


def population_loss(f: Tensor, joint: Tensor) -> Tensor:
    """f (n, k), w (n, n) -> −2 E f(x)ᵀf(x⁺) + E (f(x)ᵀf(x⁻))², x⁻ independent of x (section 3.2)."""
    products, weight = f @ f.T, joint.sum(1)
    return weight @ products.square() @ weight - 2 * (joint * products).sum()


def normalised(joint: Tensor) -> Tensor:
    """D^(−1/2) w D^(−1/2) (n, n), D the degrees."""
    scale = joint.sum(1).rsqrt()
    return scale[:, None] * joint * scale


def outside(x: Tensor, space: Tensor) -> float:
    """x (n, k), orthonormal columns (n, m) -> sin of the largest angle between a vector of span x and the space."""
    basis = torch.linalg.qr(x).Q
    return torch.linalg.matrix_norm(basis - space @ (space.T @ basis), 2).item()


def probe(f: Tensor, weight: Tensor, label: Tensor) -> tuple[float, float]:
    """Least squares from f (n, k) to one-hot labels under the weights (n,): E ‖y − ŷ‖², and the error in %."""
    scale, y = weight.sqrt()[:, None], F.one_hot(label).to(f.dtype)
    predicted = f @ (torch.linalg.pinv(scale * f) @ (scale * y))
    wrong = (predicted.argmax(1) != label).to(f.dtype)
    return (weight @ (y - predicted).square().sum(1)).item(), 100 * (weight @ wrong).item()
