"""Multinomial logistic regression on features."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.data.slices.base import balanced
from repro.engine.features import accuracy
from repro.errors import UserError
from repro.keys import key as key_of
from repro.measures.base import Measure, Measured
from repro.measures.logistic_options import LogisticOptions

HELD_OUT = 0.1  # of each class's training samples, when C is chosen


class Logistic(Measure):
    """scikit-learn's LogisticRegression, fitted by L-BFGS to the features of the training split, in float64.

    The objective is ½‖W‖² + C · Σ cross-entropy in nats, the sum over the samples. The evaluated split has no part in
    the choice of C. Metrics: `top1`, `top5`, percent.
    """

    Options = LogisticOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        train, test = sets
        o, features, labels = self.options, train.vectors.cpu(), train.labels.cpu()
        if len(labels.unique()) < 2:
            raise UserError(f"{train.named}: all samples are of one class, and a logistic probe needs two.")
        C = o.C
        if isinstance(C, tuple):
            drawn = key_of(train.key, "held-out")
            C = best(held_out(features, labels, C, o.scaling, o.iterations, drawn))
        classifier = fitted(features, labels, C, o.scaling, o.iterations)
        classes = max(train.table.classes, test.table.classes)
        return accuracy(logits(classifier, test.vectors.cpu(), classes), test.labels.cpu())

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"iterations": min(options.iterations, 5)})


def fitted(features: Tensor, labels: Tensor, C: float, scaling: str, iterations: int) -> Any:
    """features (n, d), labels (n,) -> scikit-learn's pipeline of scaling and classifier, in float64."""
    from sklearn.exceptions import ConvergenceWarning  # takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    classifier = LogisticRegression(C=C, solver="lbfgs", max_iter=iterations)
    pipeline = make_pipeline(scaler(scaling), classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the record says it
        return pipeline.fit(features.double().numpy(), labels.numpy())


def scaler(scaling: str) -> Any:
    """scikit-learn's: mean 0 and variance 1 of each feature, or unit length of each sample."""
    from sklearn.preprocessing import Normalizer, StandardScaler

    return StandardScaler() if scaling == "standardised" else Normalizer()


def logits(classifier: Any, features: Tensor, classes: int) -> Tensor:
    """features (m, d) -> (m, classes) float64, −∞ for the classes that the classifier has not met."""
    scores = classifier.decision_function(features.double().numpy())
    if scores.ndim == 1:  # two classes: the logit of the second
        scores = np.stack([-scores, scores], 1)
    result = torch.full((len(scores), classes), -torch.inf, dtype=torch.float64)
    result[:, classifier.classes_] = torch.from_numpy(scores)
    return result


def held_out(
    features: Tensor, labels: Tensor, Cs: Iterable[float], scaling: str, iterations: int, key: int
) -> dict[float, float]:
    """Each C -> the accuracy, in percent, on a held-out tenth (features (n, d)) when the other nine are fitted."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[balanced(labels, HELD_OUT, key)] = True
    classes = int(labels.max()) + 1
    tried = {}
    for C in Cs:
        classifier = fitted(features[~held], labels[~held], C, scaling, iterations)
        tried[C] = accuracy(logits(classifier, features[held], classes), labels[held])["top1"]
    return tried


def best(tried: dict[float, float]) -> float:
    """The C with the largest accuracy, of equals the smallest."""
    return max(sorted(tried), key=lambda C: tried[C])
