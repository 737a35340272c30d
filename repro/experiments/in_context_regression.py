"""Classical regressors on few examples, held against language models by Vacareanu et al. 2024 (arXiv 2404.07544)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.regression.methods import predict
from repro.experiments.regression.problems import draw
from repro.options import Collection, Field, PositiveInt, StageOptions
from repro.pictures import new_figure, optional, save


class InContextRegression(Stage):
    """Mean absolute errors of every method on every problem, the mean over `draws` draws of it.

    The draws are the paper's own, of the seeds 1, 2, …, and not the run's: the language models were shown the same
    examples. The run's seed s sets the random state of the methods, 1 + s; the authors' is 1. `on` says where the
    error is taken: on the `test` points, or on the `train` points but the first, the paper's "hindsight".

    Metrics: `<problem>_<method>`, and `rank_<method>`, 1 for the best of the methods in `ranked`, the mean over the
    problems. The picture ranks.svg shows the ranks of all methods.
    """

    class Options(StageOptions):
        precision: ClassVar[str | None] = "fp64"
        # The methods other than language models in the table of mean ranks in the authors' README.
        ranked: ClassVar[tuple[str, ...]] = (
            "linear", "linear_poly", "gradient_boosting", "random_forest", "knn", "average", "last", "random"
        )  # fmt: skip

        problems: Annotated[
            tuple[
                Literal["ni11", "ni12", "ni13", "ni22", "ni23", "ni33"]
                | Literal["friedman1", "friedman2", "friedman3"]
                | Literal["original1", "original2", "original3", "original4", "original5"],
                ...,
            ],
            Field(min_length=1),
        ]
        methods: Annotated[
            tuple[
                Literal[
                    "linear", "linear_poly", "spline", "ridge", "lasso", "kernel_ridge", "svm", "svm_scaled"
                ]
                | Literal[
                    "knn",
                    "knn_distance",
                    "knn_3",
                    "random_forest",
                    "bagging",
                    "gradient_boosting",
                    "adaboost",
                ]
                | Literal["mlp_wide1", "mlp_wide2", "mlp_wide3", "mlp_deep1", "mlp_deep2", "mlp_deep3"]
                | Literal["average", "last", "random"],
                ...,
            ],
            Field(min_length=1),
        ]
        train: PositiveInt = 50
        test: PositiveInt = 1
        draws: PositiveInt = 100
        on: Literal["test", "train"] = "test"

        @property
        def metrics(self) -> Collection[str]:
            errors = [f"{problem}_{method}" for problem in self.problems for method in self.methods]
            return [*errors, *(f"rank_{method}" for method in self.methods if method in self.ranked)]

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
