"""Vacareanu et al. 2024: the problems against the authors' published prompts, the methods, and the ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from repro.experiments.other.in_context_regression import InContextRegression, ranks
from repro.experiments.other.regression.methods import predict
from repro.experiments.other.regression.problems import draw
from tests.test_engine import context

STAGE = {"kind": "in_context_regression", "problems": ["friedman1"], "methods": ["linear", "average"]}


def run(folder: Path, **changes: Any) -> tuple[Any, dict[str, float]]:
    ctx = context(folder, device=torch.device("cpu"), seed=0, checkpoint_every=1e9)
    ctx.folder.mkdir(parents=True, exist_ok=True)
    options = InContextRegression.Options.model_validate({**STAGE, **changes})
    return ctx, InContextRegression(options).run(ctx).metrics


def test_examples_are_those_of_the_authors_prompts() -> None:
    """Of README (original1, two examples) and data/prompts/friedman2_s1000.txt (first and last, and the question)."""
    x, y, new, _ = draw("original1", 1, 2, 1)
    assert x.ravel().tolist() == [0.01, 72.03] and y.tolist() == [10.03, 67.84] and new.tolist() == [[41.7]]
    x, y, new, _ = draw("friedman2", 1000, 50, 1)
    assert x[0].tolist() == [74.92, 1436.49, 0.23, 6.19] and y[0] == 336.41
    assert x[49].tolist() == [62.15, 843.89, 0.91, 7.59] and y[49] == 773.24
    assert new.tolist() == [[69.79, 776.18, 0.88, 2.81]]


@pytest.mark.parametrize(
    ("problem", "inputs", "low", "high"),
    [
        ("original2", 4, [0, 12.56, 0, 1], [3, 175.93, 2, 11]),
        ("original3", 4, [1, 1, 0, 1], [3, 10, 10, 20]),
        ("original4", 2, [2, 2], [100, 100]),
        ("original5", 3, [-25, -25, -25], [25, 25, 25]),
    ],
)
def test_inputs_fill_their_ranges(problem: str, inputs: int, low: list[float], high: list[float]) -> None:
    x, y, new, truth = draw(problem, 1, 2000, 3)
    assert (
        x.shape == (2000, inputs) and new.shape == (3, inputs) and y.shape == (2000,) and truth.shape == (3,)
    )
    span = np.subtract(high, low)
    assert (x >= low).all() and (x <= high).all()
    assert (x.min(0) < low + 0.01 * span).all() and (x.max(0) > high - 0.01 * span).all()
    assert np.array_equal(y, np.round(y, 2))


def test_outputs_by_hand() -> None:
    x, y, *_ = draw("original5", 1, 20, 1)
    powers = np.exp(x / 10)
    assert np.allclose(y, [100 * max(p) / sum(p) for p in powers], atol=0.006)
    x, y, *_ = draw("original3", 1, 20, 1)
    slow = [np.e**a + b * c / d**0.5 + (a * d) ** 1.5 for a, b, c, d in x]
    assert np.allclose(y, slow, atol=0.006)
    x, y, *_ = draw("friedman1", 1, 20, 1)
    slow = [10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e for a, b, c, d, e in x]
    assert np.allclose(y, slow, atol=0.6) and not np.allclose(
        y, slow, atol=0.006
    )  # of the inputs before rounding


@pytest.mark.parametrize(
    ("problem", "inputs", "used"), [("ni11", 1, 1), ("ni13", 3, 1), ("ni23", 3, 2), ("ni33", 2, 2)]
)
def test_linear_problems_are_linear_in_the_informative_inputs(problem: str, inputs: int, used: int) -> None:
    x, y, new, truth = draw(problem, 4, 50, 10)
    assert x.shape[1] == inputs
    assert predict("linear", x, y, new) == pytest.approx(
        truth, abs=1.5
    )  # inputs are rounded, slopes up to 100
    slopes = predict("linear", x, y, np.eye(inputs)) - predict("linear", x, y, np.zeros((1, inputs)))
    assert (abs(slopes) > 0.5).sum() == used


def test_the_published_errors_in_hindsight_come_out() -> None:
    """data/outputs/README: fitted to 101 examples, the mean over the last 100 of three draws."""
    published = {"friedman2": ("linear_poly", 4.122403), "original1": ("gradient_boosting", 0.02775)}
    for problem, (method, value) in published.items():
        draws = [draw(problem, seed, 101, 32) for seed in (1, 2, 3)]
        found = [abs(predict(method, x, y, x[1:]) - y[1:]).mean() for x, y, *_ in draws]
        assert np.mean(found) == pytest.approx(value, abs=1e-6)


def test_least_squares_is_the_pseudo_inverse_s() -> None:
    x, y, new, _ = draw("friedman1", 1, 50, 5)

    def products(rows: Any) -> Any:
        return np.array([[1, *r, *(a * b for i, a in enumerate(r) for b in r[i:])] for r in rows.tolist()])

    design, at = products(x), products(new)
    assert predict("linear_poly", x, y, new) == pytest.approx(at @ np.linalg.pinv(design) @ y, abs=1e-6)


def test_heuristics() -> None:
    y = np.array([1.0, 5.0, 3.0])
    guess = {
        name: predict(name, np.zeros((3, 1)), y, np.zeros((2, 1))) for name in ("average", "last", "random")
    }
    assert guess["average"].tolist() == [3, 3] and guess["last"].tolist() == [3, 3]
    assert guess["random"][0] in y and guess["random"][0] == guess["random"][1]


def test_errors_are_means_over_the_draws_whatever_the_run_s_seed(tmp_path: Path) -> None:
    _, metrics = run(tmp_path, draws=3)
    errors = [abs(y.mean() - truth[0]) for _, y, _, truth in (draw("friedman1", s, 50, 1) for s in (1, 2, 3))]
    assert metrics["friedman1_average"] == pytest.approx(np.mean(errors))


def test_random_states_follow_the_run_s_seed() -> None:
    x, y, new, _ = draw("friedman1", 1, 50, 5)
    forests = [predict("random_forest", x, y, new, state).tolist() for state in (1, 1, 2)]
    assert forests[0] == forests[1] != forests[2]


def test_ranks_and_their_picture(tmp_path: Path) -> None:
    error = {
        ("p", "a"): 1.0,
        ("p", "b"): 2.0,
        ("p", "c"): 0.5,
        ("q", "a"): 3.0,
        ("q", "b"): 1.0,
        ("q", "c"): 2.0,
    }
    assert ranks(error, ["p", "q"], ["a", "b", "c"]) == {"a": [2, 3], "b": [3, 1], "c": [1, 2]}
    ctx, metrics = run(tmp_path, problems=["ni11", "ni12"], methods=["svm", "last", "linear"], draws=3)
    assert metrics["rank_linear"] == 1 and metrics["rank_last"] == 2 and "rank_svm" not in metrics
    assert "linear" in (ctx.folder / "ranks.svg").read_text()


def test_unknown_names_are_errors() -> None:
    for changes in ({"problems": ["friedman4"]}, {"methods": ["svn"]}):
        with pytest.raises(ValidationError):
            InContextRegression.Options.model_validate({**STAGE, **changes})
