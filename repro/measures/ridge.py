"""Least squares as a classifier, in closed form."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.engine.features import accuracy
from repro.errors import UserError
from repro.measures.base import Measure, Measured
from repro.measures.logistic import logits, scaler
from repro.measures.ridge_options import RidgeOptions


class Ridge(Measure):
    """Regression of +1 for a sample's class and −1 for the others; the class with the largest output is chosen.

    scikit-learn's RidgeClassifier on features of the training split, in float64. Metrics: `top1`, `top5`, percent.
    """

    Options = RidgeOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        train, test = sets
        labels = train.labels.cpu()
        if len(labels.unique()) < 2:
            raise UserError(f"{train.named}: all samples are of one class, and a ridge probe needs two.")
        classifier = self._fitted(train.vectors.cpu(), labels)
        classes = max(train.table.classes, test.table.classes)
        return accuracy(logits(classifier, test.vectors.cpu(), classes), test.labels.cpu())

    def _fitted(self, features: Tensor, labels: Tensor) -> Any:
        from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV  # takes a second to import
        from sklearn.pipeline import make_pipeline

        alpha = self.options.alpha
        several = isinstance(alpha, tuple)
        classifier = RidgeClassifierCV(alphas=alpha) if several else RidgeClassifier(alpha=alpha)
        pipeline = make_pipeline(scaler(self.options.scaling), classifier)
        return pipeline.fit(features.double().numpy(), labels.numpy())
