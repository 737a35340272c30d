"""Learning rates against the formulas of the codes that the recipes follow."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from repro import components
from repro.components import options_for
from repro.engine import checkpoint
from repro.engine.method import Method
from repro.engine.optim import build, clip, factor, groups, set_rate
from repro.keys import generator
from repro.networks.layout import channels_last
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


def test_an_exponential_loses_the_same_share_each_epoch() -> None:
    """Against torch's ExponentialLR with the ratio that leads from 1e-2 to 1e-6 in 500 epochs."""
    weights = [torch.nn.Parameter(torch.zeros(1))]
    reference = torch.optim.lr_scheduler.ExponentialLR(
        torch.optim.SGD(weights, 1e-2), gamma=(1e-4) ** (1 / 500)
    )
    schedule = Schedule(name="exponential", per="epoch", end=1e-4)
    for epoch in range(500):
        rate = 1e-2 * factor(schedule, epoch * 50 + 49, 50, 500)
        assert rate == pytest.approx(reference.get_last_lr()[0], rel=1e-9)
        reference.optimizer.step()
        reference.step()
    with pytest.raises(ValueError, match="`exponential` needs an `end` above 0"):
        options_for(("engine.schedules",), "name", {"name": "exponential"})


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


def lars_by_hand(
    w: list[float], g: list[float], v: list[float], lr: float, clipped: bool, joint: bool
) -> list[float]:
    """You et al. 2017, Algorithm 1 with momentum 0.9, decay 0.1 and trust 0.02; LARC's clip. Changes v in place.

    With `joint`, what the rate is divided by is the norm of the gradient with the decay added.
    """
    size, slope = math.hypot(*w), math.hypot(*g)
    both = math.hypot(*(b + 0.1 * a for a, b in zip(w, g, strict=True)))
    local = 0.02 * size / (both if joint else slope + 0.1 * size)
    local = min(local / lr, 1) if clipped else local
    for i in range(len(w)):
        v[i] = 0.9 * v[i] + local * (g[i] + 0.1 * w[i])
    return [a - lr * b for a, b in zip(w, v, strict=True)]


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("lr", [0.3, 1e-3])
def test_lars_update_by_hand(clipped: bool, lr: float, joint: bool) -> None:
    w = nn.Parameter(torch.tensor([3.0, -4.0], dtype=torch.float64))
    options = {"momentum": 0.9, "weight_decay": 0.1, "trust": 0.02, "clip": clipped, "joint": joint}
    optimizer = build(Optimizer(name="lars", lr=lr, **options), [w])
    value, velocity = [3.0, -4.0], [0.0, 0.0]
    for _ in range(3):
        optimizer.zero_grad()
        (w[0] + 2 * w[1]).backward()
        optimizer.step()
        value = lars_by_hand(value, [1.0, 2.0], velocity, lr, clipped, joint)
        assert w.tolist() == pytest.approx(value, rel=1e-12)


def test_lars_does_not_scale_what_has_no_norm() -> None:
    w = nn.Parameter(torch.zeros(2))
    optimizer = build(Optimizer(name="lars", lr=0.5, trust=0.02), [w])
    w.sum().backward()
    optimizer.step()
    assert w.tolist() == [-0.5, -0.5]


class Parts(Method):
    def __init__(self) -> None:
        super().__init__(None, nn.Linear(2, 2), nn.Linear(2, 2))
        self.probe = nn.Linear(2, 2)

    def constant_rates(self) -> list[nn.Module]:
        return [self.head]

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        return [(self.probe, 7.0)]

    def without_momentum(self) -> list[nn.Module]:
        return [self.probe]


@pytest.mark.parametrize("exempt", [False, True])
def test_parts_are_treated_as_the_method_and_the_recipe_say(exempt: bool) -> None:
    method = Parts()
    o = Optimizer(name="lars", lr=0.5, weight_decay=0.1, exempt_1d=exempt)
    optimizer = build(o, groups(o, method))
    set_rate(optimizer, 0.1)
    found = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert len(found) == len(list(method.parameters()))
    for part, rate in ((method.encoder, 0.05), (method.head, 0.5), (method.probe, 0.7)):
        assert [found[id(p)]["lr"] for p in part.parameters()] == pytest.approx([rate, rate])
    assert [found[id(p)]["weight_decay"] for p in method.encoder.parameters()] == [
        0.1,
        0.0 if exempt else 0.1,
    ]
    assert [found[id(p)]["adapt"] for p in method.encoder.parameters()] == [True, not exempt]
    assert [found[id(p)]["weight_decay"] for p in method.probe.parameters()] == [0.0, 0.0]
    assert [found[id(p)]["adapt"] for p in method.probe.parameters()] == [True, not exempt]
    sgd = build(Optimizer(lr=0.5, momentum=0.9), groups(Optimizer(lr=0.5, momentum=0.9), method))
    assert {p: group["momentum"] for group in sgd.param_groups for p in group["params"]} == {
        p: 0.0 if p in set(method.probe.parameters()) else 0.9 for p in method.parameters()
    }


def test_a_cosine_may_begin_after_the_warm_up() -> None:
    schedule = Schedule(name="cosine", warmup_epochs=10, after_warmup=True, end=0.2)
    rates = [factor(schedule, epoch * 5, 5, 110) for epoch in (0, 5, 10, 60, 110)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.6, 0.2])


def test_gradients_are_clipped_by_their_joint_norm() -> None:
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = build(Optimizer(lr=0.1), [a, b])
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0])
    clip(optimizer, None)
    assert (a.grad.item(), b.grad.item()) == (3.0, 4.0)
    clip(optimizer, 1.0)
    assert (a.grad.item(), b.grad.item()) == pytest.approx((0.6, 0.8), rel=1e-4)


FUSED = {
    "sgd": lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9, fused=True),
    "adam": lambda ps: torch.optim.Adam(ps, 0.01, fused=True),
    "adamw": lambda ps: torch.optim.AdamW(ps, 0.01, fused=True),
}


def convolutions() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), nn.Flatten(), nn.Linear(8, 2))
    channels_last(net)
    return net


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        net(torch.randn(5, 3, 4, 4, generator=generator(step))).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("name", FUSED)
def test_state_is_restored_in_the_layout_of_its_parameters(tmp_path: Path, name: str) -> None:
    """Fused optimizers go through state and weights side by side, without a look at strides on the CPU."""
    whole, begun = convolutions(), convolutions()
    descend(whole, FUSED[name](whole.parameters()), range(6))
    optimizer = FUSED[name](begun.parameters())
    descend(begun, optimizer, range(3))
    checkpoint.save(tmp_path / "c", *checkpoint.packed({"net": begun, "optimizer": optimizer}))
    resumed = convolutions()
    optimizer = FUSED[name](resumed.parameters())
    checkpoint.unpack({"net": resumed, "optimizer": optimizer}, *checkpoint.load(tmp_path / "c"))
    for parameter, state in optimizer.state.items():
        layouts = {value.stride() for value in state.values() if value.shape == parameter.shape}
        assert layouts == {parameter.stride()}
    assert not resumed[0].weight.is_contiguous()
    descend(resumed, optimizer, range(3, 6))
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_part_that_thaws_later_is_trained_by_fused_sgd(nesterov: bool) -> None:
    ends = []
    for fused in (True, False):
        net = convolutions()
        optimizer = build(Optimizer(lr=0.01, momentum=0.9, nesterov=nesterov), net.parameters())
        optimizer.param_groups[0]["fused"] = fused
        net[0].requires_grad_(False)
        descend(net, optimizer, range(2))
        net[0].requires_grad_(True)
        descend(net, optimizer, range(2, 5))
        ends.append([p.detach() for p in net.parameters()])
    assert not torch.equal(ends[0][0], convolutions()[0].weight)
    for one, other in zip(*ends, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("warmup", [3, 7])
@pytest.mark.parametrize("stage", ["train", "linear_probe", "fine_tune"])
def test_a_warm_up_that_does_not_end_is_refused(stage: str, warmup: int) -> None:
    options = {
        "kind": stage,
        "epochs": 3,
        "batch": {"size": 8},
        "optimizer": {"lr": 0.1},
        "schedule": {"name": "cosine", "warmup_epochs": warmup},
    }
    own = {"method": {"name": "supcon"}, "network": {"backbone": "resnet18"}, "views": {"count": 2}}
    options |= own if stage == "train" else {"of": "pretrain"}
    with pytest.raises(ValidationError, match=f"warm-up of {warmup} epochs does not end within the 3"):
        options_for(("stages",), "kind", options)
    options["schedule"] = {
        "name": "step",
        "warmup_epochs": 2,
        "milestones": [2, 40],
    }  # 40 is just not reached
    assert options_for(("stages",), "kind", options).schedule.milestones == (2, 40)


@given(
    st.sampled_from(["constant", "cosine", "step"]),
    st.integers(1, 30),
    st.integers(0, 29),
    st.integers(1, 5),
    st.sampled_from(["step", "epoch"]),
    st.booleans(),
    st.floats(0, 1),
)
def test_every_warm_up_reaches_the_schedule(
    name: str, epochs: int, warmup: int, per_epoch: int, per: str, after: bool, start: float
) -> None:
    """Over any run that is accepted: the rate gets to the curve, and from there on it is the curve's."""
    warmup = min(warmup, epochs - 1)
    shape = {"name": name, "per": per, "milestones": (epochs,), "after_warmup": after or None}
    schedule = Schedule(warmup_epochs=warmup, warmup_start=start, **shape)
    rates = [factor(schedule, step, per_epoch, epochs) for step in range(epochs * per_epoch)]
    if after or name != "cosine":
        assert max(rates) == pytest.approx(1)
    plain = Schedule(**{**shape, "after_warmup": None})
    unheated = [factor(plain, step, per_epoch, epochs) for step in range(epochs * per_epoch)]
    if not after:
        assert rates[warmup * per_epoch :] == unheated[warmup * per_epoch :]


# --- rules that see the gradient at more than one place


def test_sharpness_aware_steps_are_those_of_the_paper() -> None:
    """Algorithm 1 by hand on a quadratic: the gradient at w + ρ g / ‖g‖, applied to w."""
    a = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    expected = w.detach().clone()
    rule = components.load(("engine.optimizers",), "sam")
    optimizer = rule(rule.Options(name="sam", lr=0.1, radius=0.3)).build([w], None)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = w @ a @ w / 2
        loss.backward()
        return loss

    for _ in range(3):
        loss = optimizer.step(closure)
        gradient = a @ expected
        assert loss.item() == pytest.approx(float(expected @ gradient / 2))
        expected = expected - 0.1 * a @ (expected + 0.3 * gradient / gradient.norm())
        torch.testing.assert_close(w.detach(), expected)


@pytest.mark.parametrize("name", components.names(("engine.optimizers",)))
def test_every_rule_makes_steps_and_takes_groups(name: str) -> None:
    w = torch.nn.Parameter(torch.ones(3))
    chosen = options_for(("engine.optimizers",), "name", {"name": name, "lr": 0.01})
    optimizer = build(chosen, [{"params": [w], "lr": 0.01}])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = w.square().sum()
        loss.backward()
        return loss

    if not getattr(optimizer, "needs_closure", False):
        closure()
    optimizer.step(closure)
    assert (w < 1).all()
