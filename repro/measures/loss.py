"""The training objective itself, on samples that were not trained on."""

from __future__ import annotations

from repro.measures.base import Measure, Measured
from repro.measures.loss_options import LossOptions


class Loss(Measure):
    """The mean of the method's loss over the split, in eval mode, in its own unit. Metric: `loss`."""

    Options = LossOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        return {"loss": sets[-1].losses()["loss"]}
