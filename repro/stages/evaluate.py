"""The test accuracy of a classifier that an earlier stage trained."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import trained
from repro.stages.evaluate_options import EvaluateOptions


class Evaluate(Stage):
    """Runs encoder and head once over the test split. Metrics: `top1`, `top5`, percent."""

    Options = EvaluateOptions

    def run(self, ctx: Context) -> Outcome:
        data = labelled(ctx, self.options.split)
        network = trained(ctx, self.options.of, data)
        stage: Any = ctx.recipe.stages[self.options.of]

        def logits(images: Tensor) -> Tensor:
            return network.head(network.encoder(images))

        with frozen(network.encoder), frozen(network.head):
            scores = extract(ctx, logits, data, stage.views)
        return Outcome(accuracy(scores.cpu(), data.labels))
