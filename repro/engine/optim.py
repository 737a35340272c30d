"""Optimizers and learning-rate schedules from a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from repro.options import Optimizer, Schedule


def build(options: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """torch's optimizer for the recipe's `optimizer:`; on a GPU in its fused form."""
    o, trained = options, list(parameters)
    fused = all(p.is_cuda for p in trained) or None
    if o.name == "sgd":
        return torch.optim.SGD(
            trained, o.lr, o.momentum, weight_decay=o.weight_decay, nesterov=o.nesterov, fused=fused
        )
    adam = torch.optim.Adam if o.name == "adam" else torch.optim.AdamW
    return adam(trained, o.lr, o.betas or (0.9, 0.999), weight_decay=o.weight_decay, fused=fused)


def factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate at `step` (from 0), as a factor on the optimizer's `lr`."""
    epoch = step // steps_per_epoch
    if epoch < schedule.warmup_epochs:
        done = step / (schedule.warmup_epochs * steps_per_epoch)
        target = _curve(schedule, schedule.warmup_epochs, epochs)
        return schedule.warmup_start + done * (target - schedule.warmup_start)
    at = epoch + schedule.count_from if schedule.per == "epoch" else step / steps_per_epoch
    return _curve(schedule, at, epochs)


def _curve(schedule: Schedule, at: float, epochs: int) -> float:
    """The schedule without warm-up, `at` epochs into the run."""
    if schedule.name == "cosine":
        return schedule.end + (1 - schedule.end) * (1 + math.cos(math.pi * at / epochs)) / 2
    if schedule.name == "step":
        passed = at - schedule.count_from if schedule.per == "epoch" else at
        return schedule.gamma ** sum(passed >= m for m in schedule.milestones)
    return 1.0


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
