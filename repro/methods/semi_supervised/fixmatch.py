"""FixMatch, Sohn et al. 2020 (arXiv 2001.07685), and with soft targets UDA, Xie et al. 2019 (arXiv 1904.12848)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, exact
from repro.methods.parts.average import WeightAverage
from repro.methods.semi_supervised.fixmatch_options import FixMatchOptions


class FixMatch(Method):
    """What is said surely of a weakly augmented image without label is to be said of a strongly augmented one.

    Every row is a labelled sample and μ of the stream `unlabelled`, each in two views, the weak one first. All images
    pass through the network together. FixMatch's targets are the likeliest classes (section 2.2), UDA's the
    predictions sharpened by a `temperature`.
    """

    Options = FixMatchOptions
    guarded = ()

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.average = WeightAverage(encoder, head) if options.decay is not None else None

    def embed(self, views: Tensor, unlabelled_views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W), unlabelled_views (n, μ, 2, C, H, W) -> logits (n, K), weak and strong (n, μ, K)."""
        logits = self.project(torch.cat([views, unlabelled_views.flatten(1, 2)], 1))
        weak, strong = logits[:, 1:].unflatten(1, (-1, 2)).unbind(2)
        return {"logits": logits[:, 0], "weak": weak.detach(), "strong": strong}

    def loss(self, logits: Tensor, weak: Tensor, strong: Tensor, label: Tensor) -> dict[str, Tensor]:
        """logits (N, K), weak and strong (N, μ, K), label (N,) -> nats; a prediction that is not sure has no loss."""
        weak, strong = exact(weak), exact(strong)
        sure = weak.softmax(-1).amax(-1) >= self.options.threshold
        error = (sure * self._error(weak, strong)).mean()
        supervised = F.cross_entropy(logits, label)
        return {
            "loss": supervised + self.options.weight * error,
            "supervised": supervised,
            "sure": sure.float().mean(),
        }

    def _error(self, weak: Tensor, strong: Tensor) -> Tensor:
        """(N, μ): how far what is said of the strong view is from the target, in nats."""
        log_p = strong.log_softmax(-1)
        if self.options.temperature is None:
            return -log_p.gather(-1, weak.argmax(-1, keepdim=True))[..., 0]
        log_target = (weak / self.options.temperature).log_softmax(-1)
        return (log_target.exp() * (log_target - log_p)).sum(-1)

    def after_step(self, step: int) -> None:
        if self.average is not None:
            self.average.update(self.encoder, self.head, decay=self.options.decay, step=step)

    def end(self) -> None:
        if self.average is not None:
            self.average.hand_over(self.encoder, self.head)
