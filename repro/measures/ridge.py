"""Ridge regression on features, of classes or numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.features import accuracy
from repro.measures.base import Measure, Measured
from repro.measures.logistic import scaler
from repro.measures.regression import errors
from repro.measures.ridge_options import RidgeOptions


class Ridge(Measure):
    """Minimises ‖XW + b − Y‖² + α‖W‖² on the features of the training split, in float64, with scikit-learn.

    Y is +1 for a sample's class and −1 for the others, and the class with the largest output is chosen: `top1`,
    `top5`, percent. With `target` it is that field: `rmse`, `mae`, `r2`, see the measure `regression`.
    """

    Options = RidgeOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        train, test = sets
        if field := self.options.target:
            y, truth = (one.values(field).double().reshape(len(one.table), -1) for one in sets)
            return errors(self._predicted(train.vectors, y, test.vectors), truth)
        classes = max(train.table.classes, test.table.classes)
        y = 2 * F.one_hot(train.labels.cpu(), classes).double() - 1
        return accuracy(self._predicted(train.vectors, y, test.vectors), test.labels.cpu())

    def _predicted(self, features: Tensor, y: Tensor, others: Tensor) -> Tensor:
        """features (n, d) with y (n, t), others (m, d) -> (m, t) float64."""
        from sklearn.linear_model import Ridge, RidgeCV  # takes a second to import
        from sklearn.pipeline import make_pipeline

        alpha = self.options.alpha
        model = RidgeCV(alpha) if isinstance(alpha, tuple) else Ridge(alpha)
        pipeline = make_pipeline(scaler(self.options.scaling), model)
        fitted: Any = pipeline.fit(features.double().cpu().numpy(), y.numpy())
        return torch.from_numpy(fitted.predict(others.double().cpu().numpy())).reshape(len(others), -1)
