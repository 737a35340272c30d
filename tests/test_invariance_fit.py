"""The central promise, through `fit`: dropout, shuffled keys, stops in the middle of a step, several processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import fitting
from tests.division import alone
from tests.fitting import METHODS, train, two_processes

PLANS = [
    ("1 process", 1, None),
    ("4 chunks", 1, 4),
    ("2 processes", 2, None),
    ("2 processes × 2 chunks", 2, 4),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple, Any]]:
    """(method, plan) -> curve and final state, with BatchNorm over 4 of a batch of 16."""
    folder = tmp_path_factory.mktemp("fit")
    found: dict[tuple, Any] = {}
    pairs: dict[tuple, tuple] = {}
    for name in METHODS:
        for plan, processes, micro in PLANS:
            if processes == 1:
                found[name, plan] = train(alone(), name, 4, micro, folder / f"{name}, {plan}")
            else:
                pairs[name, plan] = (name, 4, micro, folder / f"{name}, {plan}")
        # in chunks until the middle of a step, on two processes until one of them stops in another, to the end alone
        changing = folder / f"{name}, changing"
        stopped = train(alone(), name, 4, 4, changing, stop=21)
        assert isinstance(stopped, str) and stopped.endswith(("step 1 of 9", "step 2 of 9"))
        pairs[name, "changing"] = (name, 4, 4, changing, 11)
    for label, (one, other) in zip(
        pairs, two_processes([(train, *job) for job in pairs.values()], folder), strict=True
    ):
        if isinstance(one, str):
            assert one.replace("another process has to stop", "time is up") == other
            found[label] = train(alone(), label[0], 4, None, folder / f"{label[0]}, changing")
        else:
            assert one[0] == other[0] and torch.equal(one[1], other[1])
            found[label] = one
    yield found


@pytest.mark.parametrize("plan", [*(plan for plan, _, _ in PLANS[1:]), "changing"])
@pytest.mark.parametrize("name", METHODS)
def test_the_division_does_not_show(results: dict, name: str, plan: str) -> None:
    (curve, state), (other_curve, other_state) = results[name, "1 process"], results[name, plan]
    in_loss = max(abs(a["loss"] - b["loss"]) for a, b in zip(curve, other_curve, strict=True))
    in_state = (state - other_state).abs().max().item()
    print(f"\n{name}, {plan}: loss {in_loss:.1e}, state {in_state:.1e}")
    assert in_loss < 1e-9 and in_state < 1e-9


def test_shuffling_and_the_span_do_show(results: dict, tmp_path: Path) -> None:
    """The test above could not fail if keys were not shuffled, or dropout did not drop."""
    shuffled, plain = (results[name, "1 process"][0][-1]["loss"] for name in ("moco", "moco unshuffled"))
    assert abs(shuffled - plain) > 1e-4


@pytest.mark.parametrize("stop", [1, 3, 5, 7, 8, 17, 26])
def test_a_step_that_is_given_up_leaves_no_trace(results: dict, tmp_path: Path, stop: int) -> None:
    """Stopped within the first step, in its first and second pass, and later; bit for bit the same end."""
    reason = train(alone(), "counting", 4, 4, tmp_path, stop=stop)
    assert isinstance(reason, str) and reason.startswith("time is up")
    assert ("none was finished" in reason) == (stop < 9)
    curve, state = train(alone(), "counting", 4, 4, tmp_path)
    whole_curve, whole_state = results["counting", "4 chunks"]
    assert curve == whole_curve and torch.equal(state, whole_state)


def test_it_is_asked_between_chunks(tmp_path: Path) -> None:
    """4 chunks: after each of the first pass, the loss, and each but the last of the second; then between steps."""
    deadline = fitting.After(10**6)
    fitting.fit(fitting.context(alone(), tmp_path, deadline), fitting.made("counting"), fitting.images(),
                fitting.options(4), 4)  # fmt: skip
    whole, smaller = 4 + 1 + 3, 2 + 1 + 1
    assert 10**6 - deadline.left == 6 * whole + 3 * smaller + 8
