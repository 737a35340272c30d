"""How far outputs are from the numbers that they should be."""

from __future__ import annotations

from torch import Tensor

from repro.errors import UserError
from repro.measures.base import Measure, Measured
from repro.measures.regression_options import RegressionOptions


class Regression(Measure):
    """The outputs (n, t) against a field of the table, of numbers (n,) or (n, t), in its unit.

    Metrics: `rmse`, `mae`, and `r2`, the share of the variance that is explained; of several, their means.
    """

    Options = RegressionOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        test, field = sets[-1], self.options.target
        outputs = test.vectors.double().cpu()
        target = test.values(field).double().reshape(len(test.table), -1)
        if outputs.shape != target.shape:
            raise UserError(
                f"{test.named}: the network has {outputs.shape[1]} outputs for a sample, and field `{field}` "
                f"{target.shape[1]} numbers; measure a head that has as many."
            )
        return errors(outputs, target)


def errors(found: Tensor, truth: Tensor) -> dict[str, float]:
    """found (n, t), truth (n, t) -> `rmse`, `mae`, `r2`."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error  # takes a second

    pair = truth.numpy(), found.numpy()
    return {
        "rmse": float(root_mean_squared_error(*pair)),
        "mae": float(mean_absolute_error(*pair)),
        "r2": float(r2_score(*pair)),
    }
