"""The mean of an evolution strategy, with its optimizer and schedules, as a part that a Loop can save."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from repro.engine import optim
from repro.engine.checkpoint import Part
from repro.engine.stage import Context
from repro.experiments.energy_or_hebbian.evolution.strategy import Array, ascent
from repro.keys import key


class Evolution:
    """Moves the mean (P,) float32 of the search distribution N(mean, σ² I) up the ranks of its members.

    `options` has `optimizer` (plain SGD with lr α is mean + α/(nσ) Σ rank_i ε_i) and the schedules: after each
    generation σ is multiplied by `sigma_decay` and the rate by `lr_decay`, down to `sigma_floor` and `lr_floor`.
    """

    def __init__(self, ctx: Context, options: Any, start: Array):
        self.ctx, self.o = ctx, options
        self._mean = nn.Parameter(torch.from_numpy(start))
        self.optimizer = optim.build(options.optimizer, [self._mean])

    @property
    def parts(self) -> dict[str, Part]:
        return {"mean": nn.ParameterList([self._mean]), "optimizer": self.optimizer}

    @property
    def mean(self) -> Array:
        return self._mean.detach().numpy().copy()

    def sigma(self, generation: int) -> float:
        return max(self.o.sigma_floor, self.o.sigma * self.o.sigma_decay**generation)

    def key(self, generation: int) -> int:
        """The key of the generation's perturbations."""
        return key(self.ctx.seed, self.ctx.stage, "perturbations", generation)

    def update(self, generation: int, fitness: Array) -> None:
        """One step of the optimizer; `fitness` (n,) is that of the generation's members in order."""
        sigma, size = self.sigma(generation), self._mean.numel()
        self._mean.grad = -torch.from_numpy(ascent(fitness, sigma, self.key(generation), size))
        lr = max(self.o.lr_floor, self.o.optimizer.lr * self.o.lr_decay**generation)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
