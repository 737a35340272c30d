"""The regression problems of Vacareanu et al. 2024 (arXiv 2404.07544), as in robertvacareanu/llm4regression.

No noise is added; inputs and outputs are rounded to two decimals. Outputs of Friedman's and the linear problems are
those of the inputs before rounding, outputs of the `original` ones those of the rounded inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Problem = tuple[Array, Array, Array, Array]
# Of make_regression: informative and all inputs. That ni33 has two inputs is so in the authors' code.
LINEAR = {"ni11": (1, 1), "ni12": (1, 2), "ni13": (1, 3), "ni22": (2, 2), "ni23": (2, 3), "ni33": (3, 2)}


def draw(name: str, seed: int, train: int, test: int) -> Problem:
    """x (train, d), y (train,) and x (test, d), y (test,) of the problem, drawn with the authors' random streams."""
    from sklearn.model_selection import train_test_split

    if name.startswith("original"):
        low, width, function = ORIGINAL[name]
        drawn = np.random.RandomState(seed).uniform(size=(train + test, len(width)))
        x = np.round(drawn * width + low, 2)
        y = function(*x.T)
    else:
        x, y = _of_scikit_learn(name, seed, train + test)
        x = np.round(x, 2)
    x_train, x_test, y_train, y_test = train_test_split(x, np.round(y, 2), test_size=test, random_state=seed)
    return x_train, y_train, x_test, y_test


def _of_scikit_learn(name: str, seed: int, samples: int) -> tuple[Array, Array]:
    from sklearn import datasets

    if name in LINEAR:
        informative, inputs = LINEAR[name]
        options: Any = {"n_features": inputs, "n_informative": informative}
        return datasets.make_regression(samples, noise=0.0, random_state=seed, **options)
    options = {"n_features": 5} if name == "friedman1" else {}
    return getattr(datasets, f"make_{name}")(samples, noise=0.0, random_state=seed, **options)


def original1(x: Array) -> Array:
    return x + 10 * np.sin(5 * np.pi * x / 100) + 10 * np.cos(6 * np.pi * x / 100)


def original2(a: Array, b: Array, c: Array, d: Array) -> Array:
    return (a**4 + (b * c - 2 / (np.sqrt(b) * np.sqrt(d))) ** 2) ** 0.75


def original3(a: Array, b: Array, c: Array, d: Array) -> Array:
    return np.exp(a) + b * c / np.sqrt(d) + (d * a) ** 1.5


def original4(a: Array, b: Array) -> Array:
    return b / 10 * np.sin(a) + a / 10 * np.cos(b) + np.sqrt(a) * np.log(b) / (np.sqrt(b) * np.log(a))


def original5(*x: Array) -> Array:
    """100 times the largest of the softmax of x/10."""
    powers = np.exp(np.stack(x) / 10)
    return 100 * powers.max(0) / powers.sum(0)


# The inputs' lower bounds, the widths of their ranges, and the function.
ORIGINAL: dict[str, Any] = {
    "original1": ([0], [100], original1),
    "original2": ([0, 4 * np.pi, 0, 1], [3, 52 * np.pi, 2, 10], original2),
    "original3": ([1, 1, 0, 1], [2, 9, 10, 19], original3),
    "original4": ([2, 2], [98, 98], original4),
    "original5": ([-25, -25, -25], [50, 50, 50], original5),
}
