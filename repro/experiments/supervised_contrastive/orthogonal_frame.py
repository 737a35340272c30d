"""Supervised contrast of free non-negative features: Kini et al. 2024 (arXiv 2306.07960), sections 4 and 5.

There is no network and no data: the features themselves are optimised, as in the paper's UFM₊. Whatever the class
sizes, at the minimum each class is one point, the points are orthogonal, and the loss has a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.engine.stage import Context
from repro.experiments.supervised_contrastive.orthogonal_frame_options import OrthogonalFrameOptions
from repro.keys import generator, key
from repro.methods.supervised.supcon import supcon_loss
from repro.pictures import new_figure, optional, save
from repro.stages.minimise import Minimise, Problem


class OrthogonalFrame(Minimise):
    """Minimises the supervised contrastive loss, summed over anchors, over `sizes[c]` free unit features of class c.

    With `relu` the features are relu(W)/‖relu(W)‖, else W/‖W‖, in float64 from a random start. `batches`: one of all
    features; `pairs`, of classes 0 and 1, of 2 and 3, …; `bound`, the same with the first feature of each
    class in every batch (batch-binding, section 5). Each step is up to 50 iterations of L-BFGS.

    Metrics: `loss` in nats; `gap`, the loss less its closed-form bound for non-negative features; `frame`, see
    `frame_distance`, of the class means; `spread`, the largest distance of a feature from its class mean; of the
    cosines of two class means, `cosine_first` (classes 0 and 1), `cosine_last` (the last two), `cosine_mixed` (the
    first and the last), `cosine_min` and `cosine_max`.
    """

    Options = OrthogonalFrameOptions

    def problem(self, ctx: Context) -> Features:
        return Features(self.options, generator(key(ctx.seed, ctx.stage, "start")))

    def draw(self, ctx: Context, problem: Features, curve: Any) -> None:
        draw(ctx.picture("cosines.svg"), problem.cosines())

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 2})


class Features(Problem):
    """The loss of all batches as a function of W (n, d), class by class."""

    def __init__(self, o: Any, random: torch.Generator):
        super().__init__()
        free = torch.randn(sum(o.sizes), o.dim, generator=random, dtype=torch.float64)
        self.free = nn.Parameter(free.abs() if o.relu else free)  # all units alive at the start
        label = torch.arange(len(o.sizes)).repeat_interleave(torch.tensor(o.sizes))
        self.label = nn.Buffer(label, persistent=False)
        self.samples, self.relu, self.temperature = sum(o.sizes), o.relu, o.temperature
        self.batches = batches(label, o.batches)
        self.bound = sum(frame_loss(label[rows].bincount().tolist(), o.temperature) for rows in self.batches)

    def features(self) -> Tensor:
        return unit(self.free.relu() if self.relu else self.free)

    def forward(self) -> Tensor:
        h = self.features()
        losses = (len(b) * supcon_loss(h[b], self.label[b], self.temperature) for b in self.batches)
        return torch.stack(list(losses)).sum()

    @torch.no_grad()
    def cosines(self) -> Tensor:
        """Those of the class means (k, k)."""
        means = unit(class_means(self.features(), self.label))
        return means @ means.T

    def metrics(self) -> dict[str, float]:
        loss, h, cosines = self().item(), self.features(), self.cosines()
        means = class_means(h, self.label)
        pairs = torch.triu_indices(len(means), len(means), offset=1, device=h.device)
        return {
            "loss": loss,
            "gap": loss - self.bound,
            "frame": frame_distance(means).item(),
            "spread": (h - means[self.label]).norm(dim=1).max().item(),
            "cosine_first": cosines[0, 1].item(),
            "cosine_last": cosines[-2, -1].item(),
            "cosine_mixed": cosines[0, -1].item(),
            "cosine_min": cosines[pairs[0], pairs[1]].min().item(),
            "cosine_max": cosines[pairs[0], pairs[1]].max().item(),
        }


def batches(label: Tensor, kind: str) -> list[Tensor]:
    """label (n,), class by class -> the rows of each batch."""
    if kind == "one":
        return [torch.arange(len(label))]
    pairs = [torch.nonzero(label // 2 == pair).flatten() for pair in (label // 2).unique()]
    if kind == "pairs":
        return pairs
    first = torch.searchsorted(label, label.unique())
    return [torch.cat([rows, first]).unique() for rows in pairs]


def frame_loss(sizes: Sequence[int], temperature: float) -> float:
    """The least sum of losses in nats over a batch of non-negative unit features, `sizes` of each class (Theorem 1).

    Σ_c n_c log(n_c − 1 + (n − n_c) e^(−1/τ)); an anchor without a positive has no loss.
    """
    n = sum(sizes)
    return sum(c * math.log(c - 1 + (n - c) * math.exp(-1 / temperature)) for c in sizes if c > 1)


def class_means(h: Tensor, label: Tensor) -> Tensor:
    """h (n, d), label (n,) in 0..k−1 -> the mean of each class (k, d)."""
    members = (label[:, None] == torch.arange(int(label.max()) + 1, device=label.device)).to(h.dtype)
    return members.T @ h / members.sum(0)[:, None]


def frame_distance(means: Tensor) -> Tensor:
    """means (k, d), Gram matrix G -> ‖G/‖G‖ − I/‖I‖‖: 0 where they are orthogonal and of equal length."""
    gram = means @ means.T
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return (gram / gram.norm() - eye / eye.norm()).norm()


@optional
def draw(path: Path, cosines: Tensor) -> None:
    """The cosines of the class means (k, k) as a map from −1, blue, to 1, red."""
    figure = new_figure(4.0, 3.4)
    ax = figure.subplots()
    figure.colorbar(ax.imshow(cosines.tolist(), cmap="RdBu_r", vmin=-1, vmax=1))
    ticks = range(len(cosines))
    ax.set(title="cosines of the class means", xlabel="class", ylabel="class", xticks=ticks, yticks=ticks)
    save(figure, path)
