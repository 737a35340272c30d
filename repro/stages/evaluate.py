"""What an earlier stage's network is worth on a split: the test accuracy of a classifier, or another measure."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from repro import components
from repro.data.images import ImageSet
from repro.data.table import Table
from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.restore import mean_losses, restored
from repro.engine.stage import Context, Outcome, Stage
from repro.keys import key
from repro.measures.base import Measured
from repro.networks.build import trained
from repro.stages.evaluate_options import EvaluateOptions


class Evaluate(Stage):
    """Runs the network once over the split, and over those others that the measure needs.

    The measure sees the features of the encoder, or what the head makes of them. Without one, the metrics are
    `top1`, `top5`, percent, of encoder and head as a classifier.
    """

    Options = EvaluateOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        if o.measure is None:
            data = labelled(ctx, o.split, o.data)
            return Outcome(accuracy(self._outputs(ctx, data, "head").cpu(), data.labels))
        measure = components.load(("measures",), o.measure.name)(o.measure)
        data = ctx.table(o.data, o.split)
        tables = [ctx.table(o.data, split) for split in o.splits[:-1]]
        tables += [as_known(ctx.table(other, o.split), data) for other in o.measure.others]
        return Outcome(measure(*(self._measured(ctx, table) for table in (*tables, data))))

    def _measured(self, ctx: Context, data: Table) -> Measured:
        stage: Any = ctx.recipe.stages[self.options.of]

        def losses() -> dict[str, float]:
            return mean_losses(ctx, restored(ctx, self.options.of, data), data, stage.views, stage.batch.size)

        part = self.options.features or self.options.measure.part
        return Measured(data, partial(self._outputs, ctx, data, part), losses, key(ctx.seed, "measure"))

    def _outputs(self, ctx: Context, data: Table, part: str, field: str | None = None) -> Tensor:
        """(n, …): what encoder, or encoder and head, make of the samples, or of another field in its place."""
        encoder, head = trained(ctx, self.options.of, data)
        network = nn.Sequential(encoder, head).eval() if part == "head" else encoder
        stage: Any = ctx.recipe.stages[self.options.of]
        with frozen(network):
            return extract(ctx, network, data, stage.views if field is None else stage.views.seeing(field))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        if options.measure is None:
            return options
        kind = components.load(("measures",), options.measure.name)
        return options.model_copy(update={"measure": kind.smoke(options.measure)})


def as_known(table: Table, known: Table) -> Table:
    """Images of another set, to be normalised as those that the network knows."""
    if isinstance(table, ImageSet) and isinstance(known, ImageSet):
        return replace(table, mean=known.mean, std=known.std)
    return table
