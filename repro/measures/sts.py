"""Semantic textual similarity."""

from __future__ import annotations

from torch.nn import functional as F

from repro.errors import UserError
from repro.measures.base import Measure, Measured
from repro.measures.sts_options import STSOptions


class STS(Measure):
    """How the cosine of two sentences' features follows the similarity that people gave them, without any fitting.

    Metrics: `spearman`, `pearson`, the correlations over all pairs of the split, times 100.
    """

    Options = STSOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        from scipy.stats import pearsonr, spearmanr  # takes a second to import

        test = sets[-1]
        score = test.values(self.options.score).double().numpy()
        first, second = test.vectors.double(), test.of(self.options.other).flatten(1).double()
        cosine = F.cosine_similarity(first, second).cpu().numpy()
        if min(score.std(), cosine.std()) == 0:
            raise UserError(
                f"{test.named}: all pairs have the same score or cosine, which correlates with nothing."
            )
        return {
            "spearman": 100 * float(spearmanr(cosine, score).statistic),
            "pearson": 100 * float(pearsonr(cosine, score).statistic),
        }
