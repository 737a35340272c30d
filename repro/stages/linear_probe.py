"""The linear evaluation protocol: a linear classifier on the features of a frozen encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.fit import fit
from repro.engine.method import Method, view_cross_entropy
from repro.engine.stage import Context, Outcome, Stage, tiny
from repro.keys import key
from repro.networks.build import trained, untrained
from repro.stages.linear_probe_options import LinearProbeOptions


class LinearProbe(Stage):
    """Trains the classifier on augmented training images and tests it once, after the last epoch.

    Metrics: `top1`, `top5`, percent of the test split.
    """

    Options = LinearProbeOptions

    def run(self, ctx: Context) -> Outcome:
        data, test = labelled(ctx, "train"), labelled(ctx, "test")
        encoder: Any = trained(ctx, self.options.of, data).encoder
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        probe = Probe(encoder, nn.Linear(encoder.dim, data.classes))
        with frozen(encoder):
            loop = fit(ctx, probe, data, self.options, ctx.micro_batch)
            logits = probe.head(extract(ctx, encoder, test, self.options.views))
        return Outcome(accuracy(logits.cpu(), test.labels), loop.curve, loop.facts)

    @classmethod
    def method(cls, options: Any, stages: Any, shape: tuple[int, ...], classes: int) -> Method:
        encoder: Any = untrained(stages[options.of], shape, classes).encoder.requires_grad_(False)
        return Probe(encoder, nn.Linear(encoder.dim, classes))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return tiny(options)


class Probe(Method):
    """Cross-entropy of a linear head; the encoder below it stays frozen and in eval mode.

    Collapsed features are no reason to stop: to measure them is what the probe is for.
    """

    guarded = ()

    def __init__(self, encoder: nn.Module, classifier: nn.Linear):
        super().__init__(None, encoder, classifier)

    def train(self, mode: bool = True) -> Probe:
        super().train(mode)
        self.encoder.eval()
        return self

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> features (n, V, dim), without gradient."""
        with torch.no_grad():
            return {"features": self.encoder(views.flatten(0, 1)).unflatten(0, views.shape[:2])}

    def loss(self, features: Tensor, label: Tensor) -> Tensor:
        """features (N, V, dim), label (N,) of the whole batch -> nats per view."""
        return view_cross_entropy(self.head(features), label)
