"""What remains of each task while further ones are learnt: measures of continual learning."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repro.engine.artifacts import measured
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.stages.continual_options import ContinualOptions

Accuracies = Mapping[tuple[int, int], float]


class Continual(Stage):
    """From the accuracies a[t, i] on each task i ≤ t after round t, of which T − 1 is the last, in their unit:

    `average`, the mean of a[T − 1, i] over the tasks; `incremental`, the mean over the rounds of the mean over the
    tasks seen until then (as in Rebuffi et al. 2017, arXiv 1611.07725, where tasks are equally large);
    `forgetting`, the mean over i < T − 1 of max_t a[t, i] − a[T − 1, i], t < T − 1 (Chaudhry et al. 2018,
    arXiv 1801.10112; recalled, not checked); `backward`, the backward transfer, the mean over i < T − 1 of
    a[T − 1, i] − a[i, i] (Lopez-Paz and Ranzato 2017, arXiv 1706.08840). After one round the last two are 0.
    """

    Options = ContinualOptions

    def run(self, ctx: Context) -> Outcome:
        found = measured(ctx, (self.options.of,))
        shape = re.compile(re.escape(self.options.of).replace(r"\*", r"(\d+)"))
        places = {metric: shape.fullmatch(metric) for metric in found}
        matrix = {(int(at[1]), int(at[2])): found[metric] for metric, at in places.items() if at}
        rounds = 1 + max((t for t, _ in matrix), default=-1)
        if matrix.keys() != {(t, i) for t in range(rounds) for i in range(t + 1)}:
            raise UserError(
                f"Stage `{ctx.stage}`: `{self.options.of}` is to be the accuracy on every task up to each round's; "
                f"found {', '.join(found)}."
            )
        return Outcome(measures(matrix, rounds))


def measures(a: Accuracies, rounds: int) -> dict[str, float]:
    """a[t, i] for i ≤ t < `rounds` -> the metrics of the stage."""
    last, before = rounds - 1, range(rounds - 1)
    rows = [sum(a[t, i] for i in range(t + 1)) / (t + 1) for t in range(rounds)]
    lost = [max(a[t, i] for t in range(i, last)) - a[last, i] for i in before]
    gained = [a[last, i] - a[i, i] for i in before]
    return {
        "average": rows[-1],
        "incremental": sum(rows) / rounds,
        "forgetting": sum(lost) / max(1, last),
        "backward": sum(gained) / max(1, last),
    }
