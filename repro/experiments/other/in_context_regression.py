"""Classical regressors on few examples, held against language models by Vacareanu et al. 2024 (arXiv 2404.07544)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.other.in_context_regression_options import InContextRegressionOptions
from repro.experiments.other.regression.methods import predict
from repro.experiments.other.regression.problems import draw
from repro.pictures import new_figure, optional, save


class InContextRegression(Stage):
    """Mean absolute errors of every method on every problem, the mean over `draws` draws of it.

    The draws are the paper's own, of the seeds 1, 2, …, and not the run's: the language models were shown the same
    examples. The run's seed s sets the random state of the methods, 1 + s; the authors' is 1. `on` says where the
    error is taken: on the `test` points, or on the `train` points but the first, the paper's "hindsight".

    Metrics: `<problem>_<method>`, and `rank_<method>`, 1 for the best of the methods in `ranked`, the mean over the
    problems. The picture ranks.svg shows the ranks of all methods.
    """

    Options = InContextRegressionOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        loop = Loop(ctx, o.draws, {}, len(o.problems) * len(o.methods))
        for index in loop:
            loop.log(**{name: e for p in o.problems for name, e in self._errors(p, index + 1, 1 + ctx.seed)})
        error = {
            (p, m): float(np.mean([point[f"{p}_{m}"] for point in loop.curve]))
            for p in o.problems
            for m in o.methods
        }
        metrics = {f"{p}_{m}": value for (p, m), value in error.items()}
        ranked = [m for m in o.methods if m in o.ranked]
        for m, places in ranks(error, o.problems, ranked).items():
            metrics[f"rank_{m}"] = float(np.mean(places))
        if ctx.setup.main:
            heat_map(ctx.picture("ranks.svg"), ranks(error, o.problems, o.methods), o.problems)
        return Outcome(metrics, facts=loop.facts)

    def _errors(self, problem: str, drawn: int, state: int) -> list[tuple[str, float]]:
        """The metric's name and the mean absolute error of each method in one draw of the problem."""
        o = self.options
        x, y, new, truth = draw(problem, drawn, o.train, o.test)
        if o.on == "train":
            new, truth = x[1:], y[1:]
        return [
            (f"{problem}_{m}", float(np.abs(predict(m, x, y, new, state) - truth).mean())) for m in o.methods
        ]

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"draws": 1})


def ranks(
    error: Mapping[tuple[str, str], float], problems: Sequence[str], methods: Sequence[str]
) -> dict[str, list[int]]:
    """The place of every method among these in each problem, 1 for the smallest error."""
    return {
        m: [1 + sum(error[p, other] < error[p, m] for other in methods) for p in problems] for m in methods
    }


@optional
def heat_map(path: Path, places: Mapping[str, Sequence[int]], problems: Sequence[str]) -> Path:
    """Draws a table of ranks, problems across and methods down, the best on average at the top."""
    order = sorted(places, key=lambda method: np.mean(places[method]))
    figure = new_figure(2.5 + 0.6 * len(problems), 1.0 + 0.25 * len(order))
    ax = figure.subplots()
    ax.imshow([places[m] for m in order], cmap="cividis_r", aspect="auto")
    for row, method in enumerate(order):
        for column, place in enumerate(places[method]):
            dark = place > len(order) / 2
            ax.text(column, row, str(place), ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(range(len(problems)), problems, rotation=90)
    ax.set_yticks(range(len(order)), order)
    return save(figure, path)
