"""Metrics of earlier stages, taken together."""

from __future__ import annotations

from repro.engine.artifacts import measured
from repro.engine.stage import Context, Outcome, Stage
from repro.stages.summary_options import SummaryOptions


class Summary(Stage):
    """Metrics: `mean`, `min` and `max` of what was measured; `first` and `last`, in the order of the stages, and the
    `change` from first to last. They are in the unit of what was measured.
    """

    Options = SummaryOptions

    def run(self, ctx: Context) -> Outcome:
        values = list(measured(ctx, self.options.of).values())
        metrics = {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}
        return Outcome({**metrics, "first": values[0], "last": values[-1], "change": values[-1] - values[0]})
