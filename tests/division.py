"""One training, whole and divided in every way: what the tests of the central promise through `fit` share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from repro.engine.budget import Stopped
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.engine.stage import Context
from tests.fitting import two_processes

Results = dict[tuple[str, str], tuple[Tensor, Tensor]]


@cache
def alone() -> Setup:
    return Setup(Accelerator(cpu=True), "fp32")


def outcome(ctx: Context, method: Method, data: Any, options: Any, micro: int | None) -> Any:
    """The losses and the final state; or why the run stopped."""
    try:
        loop = fit(ctx, method, data, options, micro)
    except Stopped as reason:
        return str(reason)
    losses = torch.tensor([point["loss"] for point in loop.curve], dtype=torch.float64)
    return losses, torch.cat([t.double().flatten() for t in method.state_dict().values()])


def divided(
    train: Callable[..., Any],
    names: Collection[str],
    plans: Mapping[str, tuple[int, Any]],
    stopping: Any,
    folder: Path,
) -> Results:
    """(method, plan) -> losses and final state, of `train(setup, name, micro, folder, stop)`.

    `plans` give processes and micro-batch. Each method is also trained whole (`alone`), and stopped with the
    micro-batch `stopping` in the middle of a step and then trained on whole (`resumed`).
    """
    found, jobs = {}, {}
    for name in names:
        found[name, "alone"] = train(alone(), name, None, folder / name)
        assert "time is up" in train(alone(), name, stopping, folder / f"{name} resumed", stop=25)
        found[name, "resumed"] = train(alone(), name, None, folder / f"{name} resumed")
        for plan, (processes, micro) in plans.items():
            if processes == 1:
                found[name, plan] = train(alone(), name, micro, folder / f"{name} {plan}")
            else:
                jobs[name, plan] = (train, name, micro, folder / f"{name} {plan}")
    for label, (one, other) in zip(jobs, two_processes([*jobs.values()], folder), strict=True):
        assert torch.equal(one[1], other[1])
        found[label] = one
    return found


def assert_alike(results: Results, name: str, plan: str) -> None:
    """The nine losses and the final state of the plan are those of the whole run."""
    (losses, state), (other_losses, other_state) = results[name, "alone"], results[name, plan]
    in_loss, in_state = (
        (a - b).abs().max().item() for a, b in ((losses, other_losses), (state, other_state))
    )
    print(f"\n{name}, {plan}: loss {in_loss:.1e}, state {in_state:.1e}")
    assert len(losses) == 9 and losses.isfinite().all() and losses[0] != losses[-1]
    assert in_loss < 1e-9 and in_state < 1e-9
