"""The test accuracy of a classifier that an earlier stage trained."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from repro.engine.features import accuracy, extract, frozen
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import trained
from repro.options import StageOptions


class Evaluate(Stage):
    """Runs encoder and head once over the test split. Metrics: `top1`, `top5`, percent."""

    class Options(StageOptions):
        divides: ClassVar[bool] = True
        of: str
        split: str = "test"

    def run(self, ctx: Context) -> Outcome:
        data = ctx.data(self.options.split)
        network = trained(ctx, self.options.of, data)
        stage: Any = ctx.recipe.stages[self.options.of]

        def logits(images: Tensor) -> Tensor:
            return network.head(network.encoder(images))

        with frozen(network.encoder), frozen(network.head):
            scores = extract(ctx, logits, data, stage.views)
        return Outcome(accuracy(scores.cpu(), data.labels))
