"""Minimising a closed-form or toy problem: the loop, device, resuming and curve that such experiments share.

An experiment of this form is a `Problem` and a stage that makes it:

    class Simplex(Minimise):
        Options = SimplexOptions            # with `steps`

        def problem(self, ctx: Context) -> SupCon:
            return SupCon(self.options, generator(key(ctx.seed, ctx.stage, "start")))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage


class Problem(nn.Module):
    """A loss of parameters of its own. What it draws comes from torch's generator, whose state each step sets anew.

    `samples` are those of a step, by which the speed is told. All that changes is a parameter or buffer, so that a
    checkpoint holds it.
    """

    samples: int = 1

    def forward(self) -> Tensor:
        """The loss, a scalar."""
        raise NotImplementedError

    def watched(self) -> dict[str, Any]:
        """What the curve shows beside the loss, after a step."""
        return {}

    def metrics(self) -> dict[str, float]:
        """The stage's metrics, after the last step; without gradient."""
        raise NotImplementedError


class Minimise(Stage):
    """Minimises a `Problem` in `steps` steps, each up to 50 iterations of L-BFGS, or one of an `optimizer`."""

    curve_points: int | None = None  # of the curve in a whole run; None: one for each step

    def problem(self, ctx: Context) -> Any:
        """The problem, on any device."""
        raise NotImplementedError

    def optimizer(self, problem: Any) -> torch.optim.Optimizer | None:
        """What makes the steps; None for L-BFGS."""
        return None

    def draw(self, ctx: Context, problem: Any, curve: Sequence[Mapping[str, float]]) -> None:
        """Pictures, on the main process."""

    def run(self, ctx: Context) -> Outcome:
        problem: Problem = self.problem(ctx).to(ctx.device)
        optimizer, steps = self.optimizer(problem), self.options.steps
        parts: dict[str, Any] = {"problem": problem} | ({"optimizer": optimizer} if optimizer else {})
        loop = Loop(ctx, steps, parts, problem.samples)
        every = max(1, steps // self.curve_points) if self.curve_points else 1
        for step in loop:
            loss = lbfgs(problem) if optimizer is None else descend(problem, optimizer)
            if (step + 1) % every == 0:
                loop.log(loss=loss, **problem.watched())
        with torch.no_grad():
            metrics = problem.metrics()
        if ctx.setup.main:
            self.draw(ctx, problem, loop.curve)
        return Outcome(metrics, loop.curve, loop.facts)


def lbfgs(problem: nn.Module, iterations: int = 50) -> Tensor:
    """Up to `iterations` of L-BFGS from where `problem` stands; returns the loss before the last of them."""
    optimizer = torch.optim.LBFGS(
        problem.parameters(),
        max_iter=iterations,
        tolerance_grad=1e-12,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = problem()
        loss.backward()
        return loss

    return optimizer.step(closure)


def descend(problem: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    """One step of the optimizer; returns the loss before it."""
    loss: Tensor = problem()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
