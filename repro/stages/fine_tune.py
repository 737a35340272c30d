"""Fine-tuning of a trained encoder with all, or a balanced part, of the labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from repro.data.images import ImageSet
from repro.data.slices.base import balanced
from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.stage import Context, Outcome, Stage, tiny
from repro.keys import key
from repro.methods.supervised.cross_entropy import CrossEntropy
from repro.networks.build import trained, untrained
from repro.stages.fine_tune_options import FineTuneOptions


class FineTune(Stage):
    """Trains the encoder on, with a new linear classifier, by cross-entropy; tests once, after the last epoch.

    Metrics: `top1`, `top5`, percent of the test split.
    """

    Options = FineTuneOptions

    def run(self, ctx: Context) -> Outcome:
        o, test = self.options, labelled(ctx, "test")
        data = some(labelled(ctx, "train"), o.fraction, ctx.seed)
        encoder: Any = trained(ctx, o.of, data).encoder.requires_grad_(True)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        tuned = Tuned(encoder, nn.Linear(encoder.dim, data.classes), o.head_lr)
        loop = fit(ctx, tuned, data, o, ctx.micro_batch)
        network = nn.Sequential(tuned.encoder, tuned.head).eval().requires_grad_(False)
        with frozen(network):
            logits = extract(ctx, network, test, o.views)
        facts = {**loop.facts, "labelled": len(data.labels)}
        return Outcome(accuracy(logits.cpu(), test.labels), loop.curve, facts)

    @classmethod
    def method(cls, options: Any, stages: Any, shape: tuple[int, ...], classes: int) -> Method:
        encoder: Any = untrained(stages[options.of], shape, classes).encoder
        return Tuned(encoder, nn.Linear(encoder.dim, classes), options.head_lr)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """Half of the few images at least, so that they fill a batch."""
        return tiny(options).model_copy(update={"fraction": max(0.5, options.fraction)})


class Tuned(CrossEntropy):
    """Cross-entropy of encoder and classifier, the latter with a rate of its own if one is given."""

    def __init__(self, encoder: nn.Module, classifier: nn.Linear, head_lr: float | None):
        super().__init__(CrossEntropy.Options(name="cross_entropy"), encoder, classifier)
        self.head_lr = head_lr

    def own_rates(self) -> Iterable[tuple[nn.Module, float]]:
        return [(self.head, self.head_lr)] if self.head_lr else []


def some(data: ImageSet, fraction: float, seed: int) -> ImageSet:
    """The images that take part; the set itself when all do. What is left out is as if it did not exist."""
    if fraction == 1:
        return data
    index = balanced(data.labels, fraction, key(seed, "labelled"))
    return data.take(index)
