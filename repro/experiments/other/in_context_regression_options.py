"""Options of the stage `in_context_regression`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, PositiveInt, StageOptions


class InContextRegressionOptions(StageOptions):
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
    """The regression problems."""
    methods: Annotated[
        tuple[
            Literal["linear", "linear_poly", "spline", "ridge", "lasso", "kernel_ridge", "svm", "svm_scaled"]
            | Literal[
                "knn", "knn_distance", "knn_3", "random_forest", "bagging", "gradient_boosting", "adaboost"
            ]
            | Literal["mlp_wide1", "mlp_wide2", "mlp_wide3", "mlp_deep1", "mlp_deep2", "mlp_deep3"]
            | Literal["average", "last", "random"],
            ...,
        ],
        Field(min_length=1),
    ]
    """The regressors that are compared."""
    train: PositiveInt = 50
    """The training examples of each draw."""
    test: PositiveInt = 1
    """The test points of each draw."""
    draws: PositiveInt = 100
    """The draws of each problem over which the error is averaged."""
    on: Literal["test", "train"] = "test"
    """Whether the error is taken on the test points or on the training points ("hindsight")."""

    @property
    def metrics(self) -> Collection[str]:
        errors = [f"{problem}_{method}" for problem in self.problems for method in self.methods]
        return [*errors, *(f"rank_{method}" for method in self.methods if method in self.ranked)]
