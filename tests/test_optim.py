"""Learning rates against the formulas of the codes that the recipes follow."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from repro.engine.optim import build, factor
from repro.options import Optimizer, Schedule


def supcontrast_lr(step: int, per_epoch: int, epochs: int, lr: float, warm: int, start: float) -> float:
    """The rate of HobbitLong/SupContrast at a step: cosine by the epoch counted from 1, linear warm-up by step."""

    def cosine(epoch: int) -> float:
        low = lr * 0.1**3
        return low + (lr - low) * (1 + math.cos(math.pi * epoch / epochs)) / 2

    epoch, batch = step // per_epoch + 1, step % per_epoch
    if epoch <= warm:
        done = (batch + (epoch - 1) * per_epoch) / (warm * per_epoch)
        return start + done * (cosine(warm) - start)
    return cosine(epoch)


def test_cosine_with_warmup_is_that_of_the_reference() -> None:
    schedule = Schedule(
        name="cosine", per="epoch", count_from=1, end=1e-3, warmup_epochs=10, warmup_start=0.01 / 0.5
    )
    for step in range(0, 49 * 100, 7):
        ours = 0.5 * factor(schedule, step, 49, 100)
        assert ours == pytest.approx(supcontrast_lr(step, 49, 100, 0.5, 10, 0.01), rel=1e-9)


def test_steps_fall_after_their_milestones() -> None:
    schedule = Schedule(name="step", per="epoch", milestones=(60, 75, 90), gamma=0.2)
    rates = [factor(schedule, epoch * 98, 98, 100) for epoch in range(100)]
    expected = [0.2 ** sum(epoch + 1 > m for m in (60, 75, 90)) for epoch in range(100)]
    assert rates == pytest.approx(expected)


def test_plain_cosine_starts_at_one_and_ends_at_end() -> None:
    schedule = Schedule(name="cosine", end=0.1)
    assert factor(schedule, 0, 10, 5) == 1
    assert factor(schedule, 25, 10, 5) == pytest.approx(0.55)
    assert factor(schedule, 50, 10, 5) == pytest.approx(0.1)
    assert factor(Schedule(), 33, 10, 5) == 1


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizers_take_the_recipe_values(name: str) -> None:
    model = nn.Linear(3, 2)
    optimizer = build(Optimizer(name=name, lr=0.3, weight_decay=0.01), model.parameters())
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.01)


def test_sgd_update_by_hand() -> None:
    w = nn.Parameter(torch.tensor([1.0]))
    optimizer = build(Optimizer(lr=0.1, momentum=0.9, weight_decay=0.5), [w])
    velocity, value = 0.0, 1.0
    for _ in range(3):
        optimizer.zero_grad()
        (2 * w).sum().backward()
        optimizer.step()
        velocity = 0.9 * velocity + 2 + 0.5 * value
        value -= 0.1 * velocity
    assert w.item() == pytest.approx(value, rel=1e-6)
