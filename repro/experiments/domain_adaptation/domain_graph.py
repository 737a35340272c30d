"""Classes and domains in the augmentation graph: Shen et al. 2022 (arXiv 2204.00570), section 4.

There is no network and no data set: the features of all points are optimised under the population loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.stage import Context
from repro.experiments.contrastive.augmentation_graph import Features, normalised, outside
from repro.experiments.domain_adaptation.domain_graph_options import DomainGraphOptions
from repro.keys import generator, key
from repro.pictures import COLOURS, new_figure, optional, save
from repro.stages.minimise import Minimise


class DomainGraph(Minimise):
    """Spectral contrastive features of the points of `classes` × `domains` blocks, and a head trained on domain 0.

    `weights`: how strongly two points are connected that share class and domain, ρ; the class only, α; the domain
    only, β; neither, γ. With `nodes`, so many points a block are joined by edges drawn with these probabilities
    (a stochastic block model); without, each block is one point. The features, classes + domains − 1 of them,
    minimise the population loss in float64, in `steps` rounds of up to 50 iterations of L-BFGS from a random start.

    Metrics: `gap`, the loss less its minimum; `angle`, the sine of the largest angle of the features to the
    eigenvectors of the largest eigenvalues; `eigengap`, the least of these less the next; `source_error` and
    `target_error`, in %, of the least-squares head of the smallest norm from the features to the classes, fitted to
    domain 0; `transfer`, its mean margin for the true class on the other domains in units of that on domain 0;
    `domain_error`, the error in % of such a head fitted to the domains of all points.
    """

    Options = DomainGraphOptions

    def problem(self, ctx: Context) -> Blocks:
        return Blocks(self.options, generator(key(ctx.seed, ctx.stage, "graph")))

    def draw(self, ctx: Context, problem: Blocks, curve: Any) -> None:
        draw(ctx.picture("features.svg"), problem.free.detach().cpu(), problem.label, problem.domain)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 1, "nodes": options.nodes and 5})


class Blocks(Features):
    """Features on the graph of the blocks; `label` and `domain` (n,) are those of its points."""

    def __init__(self, o: Any, random: torch.Generator):
        label, domain = blocks(o.classes, o.domains, o.nodes or 1)
        joint = connections(o.weights, label, domain)
        if o.nodes:
            joint = drawn(joint, random)
        super().__init__(joint / joint.sum(), o.classes + o.domains - 1, random)
        self.label, self.domain = label, domain

    def metrics(self) -> dict[str, float]:
        loss, f, joint = self().item(), self.free.cpu(), self.joint.cpu()
        k, label, source = f.shape[1], self.label, self.domain == 0
        values, vectors = (part.flip(-1) for part in torch.linalg.eigh(normalised(joint)))
        answer = F.one_hot(label).to(f.dtype)
        predicted = f @ (torch.linalg.pinv(f[source]) @ answer[source])
        margins = (predicted * answer).sum(1) - (predicted * (1 - answer)).sum(1) / (answer.shape[1] - 1)
        wrong = predicted.argmax(1) != label
        where = F.one_hot(self.domain).to(f.dtype)
        misplaced = (f @ (torch.linalg.pinv(f) @ where)).argmax(1) != self.domain
        return {
            "gap": loss + values[:k].clamp(min=0).square().sum().item(),
            "angle": outside(joint.sum(1).sqrt()[:, None] * f, vectors[:, values >= values[k - 1] - 1e-9]),
            "eigengap": (values[k - 1] - values[k]).item(),
            "source_error": percent(wrong[source]),
            "target_error": percent(wrong[~source]),
            "transfer": (margins[~source].mean() / margins[source].mean()).item(),
            "domain_error": percent(misplaced),
        }


def blocks(classes: int, domains: int, nodes: int) -> tuple[Tensor, Tensor]:
    """The class and the domain of each point (classes × domains × nodes,)."""
    pairs = torch.cartesian_prod(torch.arange(classes), torch.arange(domains)).repeat_interleave(nodes, 0)
    return pairs[:, 0], pairs[:, 1]


def connections(weights: Sequence[float], label: Tensor, domain: Tensor) -> Tensor:
    """The weights ρ, α, β, γ; label and domain (n,) -> the weight of each pair of points (n, n)."""
    rho, alpha, beta, gamma = (torch.tensor(weight, dtype=torch.float64) for weight in weights)
    alike, together = label[:, None] == label, domain[:, None] == domain
    return torch.where(alike, torch.where(together, rho, alpha), torch.where(together, beta, gamma))


def drawn(probability: Tensor, random: torch.Generator) -> Tensor:
    """Symmetric edges 0 or 1 (n, n), each drawn with its probability (n, n), and a loop at every point."""
    upper = torch.rand(probability.shape, generator=random, dtype=torch.float64) < probability
    upper = upper.to(torch.float64).triu(1)
    return upper + upper.T + torch.eye(len(upper), dtype=torch.float64)


def percent(wrong: Tensor) -> float:
    """The share of true values, in %."""
    return 100 * wrong.double().mean().item()


@optional
def draw(path: Path, f: Tensor, label: Tensor, domain: Tensor) -> None:
    """Features (n, k) on their first two principal axes: a colour for each class, a marker for each domain."""
    centred = f - f.mean(0)
    x, y = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T).T.tolist()
    figure = new_figure(4.5, 4.0)
    ax = figure.subplots()
    for i, (c, d) in enumerate(zip(label.tolist(), domain.tolist(), strict=True)):
        ax.plot(x[i], y[i], "os^Dv*"[d % 6], color=COLOURS[c % len(COLOURS)], alpha=0.6)
    ax.set(xlabel="first principal axis", ylabel="second", title="colour: class, marker: domain")
    ax.spines[["top", "right"]].set_visible(False)
    save(figure, path)
