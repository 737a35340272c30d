"""Prototype-sample relation distillation, Asadi et al. 2023 (arXiv 2303.14771)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn

from repro.engine.method import Method, exact, unit
from repro.methods.continual.prd_options import PRDOptions
from repro.methods.supervised.supcon import supcon_loss
from repro.networks.build import build_head


class PRD(Method):
    """Supervised contrast of the current task, prototypes drawn to its features, and what the old ones say of them.

    Loss and settings follow the authors' code, naderAsadi/Probing-Continual-Learning at 8b82d53, methods/repe.py. The
    head holds the prototypes of all classes; `previous` is the network as the task before left it.
    """

    Options = PRDOptions
    guarded = ("p",)
    least = 2
    carried = ("projection",)
    head: Any

    def __init__(self, options: Any, encoder: Any, head: Any, previous: nn.Module | None = None):
        super().__init__(options, encoder, head)
        self.projection = build_head(options.projection, encoder.dim)
        self.previous: Any = previous

    def train(self, mode: bool = True) -> Self:
        """The previous network, too, normalises by the statistics of the batch."""
        super().train(mode)
        if self.previous is not None:
            self.previous.train(mode)
        return self

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> features z (n, V, d), p (n, V, k) on the sphere, old scores (n, V, classes)."""
        z = self.through(views, self.encoder)
        found = {"z": z, "p": unit(self.projection(z.flatten(0, 1))).unflatten(0, z.shape[:2])}
        if self.previous is not None:
            found["old"] = self.previous.head.scores(self.through(views, self.previous.encoder))
        return found

    def loss(self, z: Tensor, p: Tensor, label: Tensor, old: Tensor | None = None) -> dict[str, Tensor]:
        """z (N, V, d), p (N, V, k), label (N,), old (N, V, classes) -> nats: contrast + α pull + β distillation."""
        o = self.options
        target = label.repeat_interleave(z.shape[1])
        scale = o.temperature / (o.base_temperature or o.temperature)
        contrast = scale * supcon_loss(p.flatten(0, 1), target, o.temperature)
        cosines = self.head(exact(z.detach()).flatten(0, 1)).gather(1, target[:, None])
        pull, distilled = (1 - cosines).mean(), z.new_zeros(())
        if old is not None:
            new = self.head.scores(exact(z))
            for classes in torch.arange(self.head.dim, device=z.device).tensor_split(o.tasks)[: o.task]:
                distilled = distilled + relation(old[..., classes], new[..., classes], o.distill_temperature)
        loss = contrast + o.prototype_weight * pull + o.distill_weight * distilled
        return {"loss": loss, "contrast": contrast, "pull": pull, "distilled": distilled}

    def own_rates(self) -> Iterable[tuple[nn.Module, float]]:
        return [(self.head, self.options.prototype_lr)]

    def without_momentum(self) -> Iterable[nn.Module]:
        return [self.head]


def relation(old: Tensor, new: Tensor, temperature: float) -> Tensor:
    """Scores (…, classes) of one task -> the cross-entropy of their softmaxes over its classes, the mean, in nats."""
    return -((old / temperature).softmax(-1) * (new / temperature).log_softmax(-1)).sum(-1).mean()
