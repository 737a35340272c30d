"""Self-distillation of a linear classifier with corrupted labels: Das and Sanghavi 2023 (arXiv 2301.13304)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.data.images import ImageSet
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.knowledge_distillation.self_distillation_probe_options import (
    SelfDistillationProbeOptions,
)
from repro.keys import generator, key, permutation
from repro.pictures import plot


class SelfDistillationProbe(Stage):
    """Softmax regression on pixels in 0..1, `train` random images, with the share `corruption` of labels wrong.

    A wrong label is one of the other classes, all alike. The teacher minimises the mean cross-entropy plus
    `decay`/2 ‖W‖² (not the biases), the student of each ξ the same with ξ times the teacher's probabilities plus
    1 − ξ times the given labels as targets. L-BFGS in float64, from zero. These sum to 1, so that the loss is
    convex also for ξ > 1, where some are negative; without decay it would have no minimum there.

    Metrics, in % of the test split: `xi_<ξ>` ("1_5" for 1.5), ξ = 0 being the teacher; `up_to_one` and
    `above_one`, the best of the student's for 0 < ξ ≤ 1 and for ξ > 1; `best_xi`. The picture is accuracy.svg.
    """

    Options = SelfDistillationProbeOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        train, test = ctx.data("train"), ctx.data("test")
        chosen = permutation(key(ctx.seed, ctx.stage, "chosen"), len(train.labels))[: o.train]
        given = corrupted(
            train.labels[chosen], train.classes, o.corruption, key(ctx.seed, ctx.stage, "noise")
        )
        x, labels = pixels(train, chosen, ctx), F.one_hot(given, train.classes).double().to(ctx.device)
        unseen, truth = pixels(test, torch.arange(len(test.labels)), ctx), test.labels.to(ctx.device)
        teacher = fit(x, labels, o.decay, o.iterations)
        soft = scores(teacher, x).softmax(1)
        top1 = {0.0: accuracy(teacher, unseen, truth)}
        for xi in sorted(o.xi):
            top1[xi] = accuracy(fit(x, xi * soft + (1 - xi) * labels, o.decay, o.iterations), unseen, truth)
        if ctx.setup.main:
            curve = {"student": (list(top1), list(top1.values()))}
            plot(ctx.picture("accuracy.svg"), curve, "ξ", "test accuracy in %", {"teacher": top1[0.0]})
        metrics = {f"xi_{xi:g}".replace(".", "_"): value for xi, value in top1.items()}
        metrics["up_to_one"] = max(value for xi, value in top1.items() if 0 < xi <= 1)
        metrics["above_one"] = max(value for xi, value in top1.items() if xi > 1)
        return Outcome({**metrics, "best_xi": max(top1, key=lambda xi: top1[xi])})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"train": 20, "iterations": 3})


def pixels(data: ImageSet, rows: Tensor, ctx: Context) -> Tensor:
    """The rows' images as (n, pixels) float64 in 0..1."""
    return (data.images[rows].flatten(1).double() / 255).to(ctx.device)


def corrupted(labels: Tensor, classes: int, share: float, key: int) -> Tensor:
    """labels (n,) with round(share · n) of them changed to another class."""
    random = generator(key)
    wrong = torch.randperm(len(labels), generator=random)[: round(share * len(labels))]
    shift = torch.randint(1, classes, (len(wrong),), generator=random)
    return labels.index_copy(0, wrong, (labels[wrong] + shift) % classes)


def scores(weights: Tensor, x: Tensor) -> Tensor:
    """weights (d + 1, C), the last row the biases; x (n, d) -> logits (n, C)."""
    return torch.addmm(weights[-1], x, weights[:-1])


def objective(weights: Tensor, x: Tensor, targets: Tensor, decay: float) -> Tensor:
    """The mean cross-entropy with targets (n, C), and the decay."""
    return F.cross_entropy(scores(weights, x), targets) + decay / 2 * weights[:-1].square().sum()


def fit(x: Tensor, targets: Tensor, decay: float, iterations: int) -> Tensor:
    """The weights (d + 1, C) at the minimum of the objective."""
    weights = x.new_zeros(x.shape[1] + 1, targets.shape[1]).requires_grad_()
    solver = torch.optim.LBFGS(
        [weights],
        max_iter=iterations,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        solver.zero_grad()
        loss = objective(weights, x, targets, decay)
        loss.backward()
        return loss

    solver.step(closure)
    return weights.detach()


def accuracy(weights: Tensor, x: Tensor, labels: Tensor) -> float:
    """The share of right classes in %."""
    return 100 * (scores(weights, x).argmax(1) == labels).double().mean().item()
