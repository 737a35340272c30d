"""A linear classifier that is trained beside a method on its features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, call, view_cross_entropy
from repro.options import OnlineProbe


class Online(Method):
    """The method with a classifier on the encoder's features of the augmented training views.

    The features are detached, so the method does not notice; the classifier's cross-entropy is added to the loss.
    """

    def __init__(self, options: OnlineProbe, method: Method, dim: int, classes: int):
        nn.Module.__init__(self)  # encoder and head are the method's
        self.options, self.method = options, method
        self.classifier = nn.Linear(dim, classes)
        self.guarded = method.guarded
        self.shuffles = method.shuffles

    def embed(self, **facts: Any) -> dict[str, Tensor]:
        """The method's embeddings, and `features` (n, V, d) of those views that the encoder sees."""
        self.method.apart = self.apart
        passes: list[Tensor] = []
        hook = self.method.encoder.register_forward_hook(lambda module, x, y: passes.append(y.detach()))
        try:
            embedded = call(self.method.embed, facts)
        finally:
            hook.remove()
        n, count = facts["views"].shape[:2]
        if self.apart:
            return {**embedded, "features": torch.stack(passes[:count], 1)}
        return {**embedded, "features": passes[0].unflatten(0, (n, -1))}

    def keys(self, **facts: Any) -> dict[str, Tensor]:
        self.method.apart = self.apart
        return call(self.method.keys, facts)

    def loss(self, features: Tensor, label: Tensor, **facts: Any) -> Tensor | dict[str, Tensor]:
        """The method's loss plus the classifier's, in nats per view."""
        beside = view_cross_entropy(self.classifier(features), label)
        own = call(self.method.loss, {**facts, "label": label})
        return {**own, "loss": own["loss"] + beside} if isinstance(own, dict) else own + beside

    def check(self, samples: int) -> None:
        self.method.check(samples)

    def begin(self, **facts: Any) -> None:
        call(self.method.begin, facts)

    def before_step(self, **facts: Any) -> None:
        call(self.method.before_step, facts)

    def after_step(self, **facts: Any) -> None:
        call(self.method.after_step, facts)

    def constant_rates(self) -> Iterable[nn.Module]:
        return self.method.constant_rates()

    def without_momentum(self) -> Iterable[nn.Module]:
        return self.method.without_momentum()

    def own_rates(self) -> Iterable[tuple[nn.Module, float]]:
        return [*self.method.own_rates(), (self.classifier, self.options.lr)]
