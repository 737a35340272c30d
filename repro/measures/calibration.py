"""Whether a classifier's probabilities are those with which it is right."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from repro.measures.base import Measure, Measured, percent
from repro.measures.calibration_options import CalibrationOptions


class Calibration(Measure):
    """The softmax of the logits as probabilities of the classes.

    `ece`: expected calibration error, percent, Guo et al. 2017 (arXiv 1706.04599), eq. 3: over M bins of confidences
    in ((m − 1) / M, m / M], the mean of |accuracy − confidence|, weighted by the bins' samples. `nll`: nats. `brier`:
    the mean of Σ (p − y)² over the classes (0 to 2), y one-hot. `top1`, percent.
    """

    Options = CalibrationOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        logits, labels = sets[-1].logits, sets[-1].labels
        p = logits.softmax(1)
        confidence, predicted = p.max(1)
        right = predicted == labels
        return {
            "ece": 100 * calibration_error(confidence, right, self.options.bins),
            "nll": F.cross_entropy(logits, labels).item(),
            "brier": (p - F.one_hot(labels, p.shape[1])).square().sum(1).mean().item(),
            "top1": percent(right),
        }


def calibration_error(confidence: Tensor, right: Tensor, bins: int) -> float:
    """confidence (n,) in 0..1, right (n,) -> Σ |B_m| / n · |accuracy − confidence| over the bins m, 0..1."""
    place = (confidence * bins).ceil().long().clamp(min=1) - 1
    gaps = place.bincount(weights=right.to(confidence.dtype) - confidence)
    return gaps.abs().sum().item() / len(confidence)
