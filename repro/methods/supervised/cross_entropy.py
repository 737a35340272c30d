"""Supervised learning with softmax cross-entropy."""

from __future__ import annotations

from torch import Tensor

from repro.engine.method import Method, view_cross_entropy
from repro.methods.supervised.cross_entropy_options import CrossEntropyOptions


class CrossEntropy(Method):
    """The head gives the logits of the classes; every view is a training sample.

    Samples of one class may well get the same logits: that is no collapse.
    """

    guarded = ()

    Options = CrossEntropyOptions

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> logits (n, V, classes)."""
        return {"logits": self.project(views)}

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """logits (N, V, classes), label (N,) -> nats per view."""
        return view_cross_entropy(logits, label, self.options.label_smoothing)
