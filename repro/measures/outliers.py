"""Whether samples of another kind are told from those of the known one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.engine.method import unit
from repro.errors import UserError
from repro.measures.base import Measure, Measured
from repro.measures.outliers_options import OutliersOptions


class Outliers(Measure):
    """A score that should be higher for samples of the evaluated split than for those of another set.

    Scores: the largest softmax probability, Hendrycks and Gimpel 2017 (arXiv 1610.02136); minus the energy, Liu et
    al. 2020 (arXiv 2010.03759); minus the distance of unit features to the k-th nearest training sample, Sun et al.
    2022 (arXiv 2204.06507). Metrics, percent: `auroc`; `fpr95`, the outliers that pass where the threshold lets 95 %
    of the known samples pass; `aupr`, the average precision with the known samples as the positives.
    """

    Options = OutliersOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        *train, other, test = sets
        known, unknown = (self._scores(measured, *train).double().cpu().numpy() for measured in (test, other))
        return separated(known, unknown)

    def _scores(self, measured: Measured, *train: Measured) -> Tensor:
        """(n,), higher for samples that look known."""
        o, x = self.options, measured.vectors.double()
        if o.score == "knn":
            return nearness_of_kth(unit(train[0].vectors), unit(measured.vectors), o.k, train[0])
        if o.score == "softmax":
            return (x / o.temperature).log_softmax(1).max(1).values  # the order is that of the probabilities
        return x.max(1).values if o.score == "logit" else o.temperature * (x / o.temperature).logsumexp(1)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"k": 1})


def nearness_of_kth(bank: Tensor, queries: Tensor, k: int, train: Measured) -> Tensor:
    """bank (N, d), queries (m, d) on the unit sphere -> (m,): the cosine of the k-th nearest of the bank."""
    if k > len(bank):
        raise UserError(
            f"{train.named}: of {len(bank)} samples there is no {k}-th nearest; ask for a smaller `k`."
        )
    return torch.cat([(some @ bank.T).topk(k, dim=1).values[:, -1] for some in queries.split(1024)])


def separated(known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    """Scores (n,) of known samples and (m,) of others -> `auroc`, `fpr95`, `aupr`, percent."""
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve  # takes a second to import

    scores = np.concatenate([known, unknown])
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    return {
        "auroc": 100 * float(roc_auc_score(truth, scores)),
        "fpr95": 100 * float(false[np.argmax(true >= 0.95)]),
        "aupr": 100 * float(average_precision_score(truth, scores)),
    }
