"""Optimizers, parameter groups and learning-rate schedules from a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from repro import components
from repro.engine.method import Method
from repro.options import Optimizer, Schedule


def build(options: Optimizer, parameters: Iterable[Any]) -> torch.optim.Optimizer:
    """The optimizer for the recipe's `optimizer:`, for parameters or groups of them; on a GPU torch's fused form."""
    trained = list(parameters)
    each = (p for part in trained for p in (part["params"] if isinstance(part, dict) else [part]))
    fused = all(p.is_cuda for p in each) or None
    rule = components.load(("engine.optimizers",), options.name)(options)
    made: torch.optim.Optimizer = rule.build(trained, fused)
    return made


def groups(options: Optimizer, method: Method) -> list[dict[str, Any]]:
    """The method's trainable parameters in groups that share their treatment.

    One-dimensional parameters are exempt from weight decay and adaptation if the options say so; the method may
    have parts with a rate of their own (`own_rates`), one that the schedule leaves alone (`constant_rates`), or no
    momentum (`without_momentum`).
    """
    found: dict[tuple[float, bool, float, bool, bool], list[nn.Parameter]] = {}
    constant, still = _within(method.constant_rates()), _within(method.without_momentum())
    own = {id(p): lr for module, lr in method.own_rates() for p in module.parameters()}
    decayed = _within([method if options.decayed is None else getattr(method, options.decayed)])
    for p in method.parameters():
        if p.requires_grad:
            exempt = bool(options.exempt_1d) and p.ndim == 1
            decays = id(p) in decayed and id(p) not in own and not exempt
            decay = options.weight_decay if decays else 0.0
            treatment = (own.get(id(p), options.lr), id(p) in constant, decay, not exempt, id(p) in still)
            found.setdefault(treatment, []).append(p)
    return [
        {"params": ps, "lr": lr, "peak": lr, "constant": fixed, "weight_decay": decay, "adapt": adapt}
        | ({"momentum": 0.0} if plain else {})
        for (lr, fixed, decay, adapt, plain), ps in found.items()
    ]


def _within(modules: Iterable[nn.Module]) -> set[int]:
    return {id(p) for module in modules for p in module.parameters()}


def factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate at `step` (from 0), as a factor on the optimizer's `lr`."""
    epoch = step // steps_per_epoch
    if epoch < schedule.rising:
        done = step / (schedule.rising * steps_per_epoch)
        target = _curve(schedule, schedule.rising, epochs)
        return schedule.warmup_start + done * (target - schedule.warmup_start)
    at = epoch + schedule.count_from if schedule.per == "epoch" else step / steps_per_epoch
    return _curve(schedule, at, epochs)


def _curve(schedule: Schedule, at: float, epochs: int) -> float:
    """The schedule without warm-up, `at` epochs into the run."""
    begin = schedule.rising if schedule.after_warmup else 0
    curve = components.load(("engine.schedules",), schedule.name)(schedule)
    return float(curve(at, begin, epochs))


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets the rate of every group to its peak times `factor`, or to its peak where that is constant."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * (1 if group["constant"] else factor)


def clip(optimizer: torch.optim.Optimizer, max_norm: float | None) -> None:
    """Scales the gradients down so that their joint norm is at most `max_norm`."""
    if max_norm:
        torch.nn.utils.clip_grad_norm_(list(_parameters(optimizer)), max_norm)


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[nn.Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]
