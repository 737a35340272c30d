"""The accuracy of a classifier."""

from __future__ import annotations

import torch

from repro.engine.features import accuracy
from repro.measures.accuracy_options import AccuracyOptions
from repro.measures.base import Measure, Measured


class Accuracy(Measure):
    """How often the true class has the largest logit, or one of the five largest: `top1`, `top5`, percent.

    In task-incremental learning it is known of which task a sample is: then only its classes compete, those that are
    `present` among the evaluated samples.
    """

    Options = AccuracyOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        logits, labels = sets[-1].logits, sets[-1].labels
        if self.options.among == "present":
            absent = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
            absent[labels.unique()] = False
            logits = logits.masked_fill(absent, -torch.inf)
        return accuracy(logits, labels)
