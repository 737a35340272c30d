"""How well clusters agree with classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from repro.engine.method import unit
from repro.errors import UserError
from repro.keys import key as key_of
from repro.measures.base import Measure, Measured
from repro.measures.clusters_options import ClustersOptions


class Clusters(Measure):
    """Clusters of the evaluated split, found without labels, against its classes. All in percent.

    `acc`: the share of samples whose cluster's class is right, with clusters assigned to classes one to one in the
    best way (Hungarian algorithm; with more clusters than classes, some have none). `nmi`: mutual information over a
    mean of the entropies. `ari`: the Rand index, adjusted for chance. k-means is scikit-learn's (k-means++).
    """

    Options = ClustersOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # takes a second

        test, average = sets[-1], self.options.average
        found, labels = self._clusters(test), test.labels.cpu().numpy()
        return {
            "acc": 100 * matched(found, labels),
            "nmi": 100 * float(normalized_mutual_info_score(labels, found, average_method=average)),
            "ari": 100 * float(adjusted_rand_score(labels, found)),
        }

    def _clusters(self, test: Measured) -> np.ndarray:
        """The cluster (n,) of each sample."""
        o = self.options
        if o.by == "outputs":
            return test.vectors.argmax(1).cpu().numpy()
        count = o.count or test.table.classes
        if count > len(test.table):
            raise UserError(
                f"{test.named}: {len(test.table)} samples do not form {count} clusters; ask for fewer (`count`)."
            )
        return kmeans(unit(test.vectors) if o.unit else test.vectors, count, o.starts, test.key)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"count": 2, "starts": 1})


def kmeans(features: Tensor, count: int, starts: int, key: int) -> np.ndarray:
    """features (n, d) -> cluster (n,), by scikit-learn in float64; the best of several keyed starts."""
    from sklearn.cluster import KMeans

    state = key_of(key, "kmeans") % 2**32
    return KMeans(count, n_init=starts, random_state=state).fit(features.double().cpu().numpy()).labels_


def matched(clusters: np.ndarray, labels: np.ndarray) -> float:
    """clusters (n,), labels (n,) -> the largest share that agrees under a matching of clusters with classes."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    counts = contingency_matrix(labels, clusters)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())
