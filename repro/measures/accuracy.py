"""The accuracy of a classifier."""

from __future__ import annotations

from repro.engine.features import accuracy
from repro.measures.accuracy_options import AccuracyOptions
from repro.measures.base import Measure, Measured


class Accuracy(Measure):
    """How often the true class has the largest logit, or one of the five largest: `top1`, `top5`, percent."""

    Options = AccuracyOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        return accuracy(sets[-1].logits, sets[-1].labels)
