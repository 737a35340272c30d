"""Several updates a step: the same as plain torch with two optimizers, however the work is divided or interrupted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.budget import Stopped
from repro.engine.draws import Draws
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.options import Batch, Optimizer, Schedule, TrainingOptions, Views
from tests.division import alone
from tests.fitting import After, Encoder, Head, context, images, two_processes

PLANS = {"chunks": (1, 4), "processes": (2, None), "processes and chunks": (2, 4)}


class Alternating(Method):
    """Draws, dropout and a loss that differ from turn to turn; it counts what the hook after the step is given."""

    guarded = ()

    def __init__(self) -> None:
        torch.manual_seed(1)
        super().__init__(None, Encoder(), Head())
        self.seen = nn.Buffer(torch.zeros(1, dtype=torch.float64))

    def embed(self, views: Tensor, draws: Draws, turn: int) -> dict[str, Tensor]:
        z = self.project(views)
        return {"z": z + (1 + turn) * 0.1 * draws.normal("noise", *z.shape[1:]).to(z.dtype)}

    def loss(self, z: Tensor, draws: Draws, turn: int) -> dict[str, Tensor]:
        value = (
            (z.flatten(0, 1) * draws.uniform("weight").repeat_interleave(z.shape[1])[:, None]).var(0).sum()
        )
        return {"loss": value if turn == 0 else (value - 1) ** 2, f"of_turn{turn}": value}

    def after_step(self, z: Tensor) -> None:
        self.seen += z.sum()


def options() -> Any:
    training: dict[str, Any] = {
        "batch": Batch(size=16, bn_span=4),
        "optimizer": Optimizer(name="adam", lr=0.01),
        "turns": (Optimizer(lr=0.05, momentum=0.9, max_norm=1.0),),
        "schedule": Schedule(name="cosine"),
        "epochs": 3,
    }
    return SimpleNamespace(views=Views(count=2, flip=0.5), **dict(TrainingOptions(kind="train", **training)))


def train(setup: Setup, micro: int | None, folder: Path, stop: int | None = None) -> Any:
    method = Alternating().double()
    try:
        loop = fit(context(setup, folder, After(stop) if stop else None), method, images(), options(), micro)
    except Stopped as reason:
        return str(reason)
    assert {"of_turn0", "of_turn1"} <= set(loop.curve[0])
    losses = torch.tensor([point["loss"] for point in loop.curve], dtype=torch.float64)
    return losses, torch.cat([t.double().flatten() for t in method.state_dict().values()])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("turns")
    found = {"alone": train(alone(), None, folder / "alone")}
    for stop in (20, 23):  # between the chunks of a first turn
        assert "time is up" in train(alone(), 4, folder / f"resumed {stop}", stop)
        found[f"resumed {stop}"] = train(alone(), None, folder / f"resumed {stop}")
    found["chunks"] = train(alone(), 4, folder / "chunks")
    jobs = {name: (train, micro, folder / name) for name, (count, micro) in PLANS.items() if count == 2}
    for name, (one, other) in zip(jobs, two_processes([*jobs.values()], folder), strict=True):
        assert torch.equal(one[1], other[1])
        found[name] = one
    return found


@pytest.mark.parametrize("plan", ["resumed 20", "resumed 23", *PLANS])
def test_the_division_does_not_show(results: dict[str, Any], plan: str) -> None:
    (losses, state), (other_losses, other_state) = results["alone"], results[plan]
    assert len(losses) == 9 and losses.isfinite().all()
    assert torch.allclose(losses, other_losses, atol=1e-9) and torch.allclose(state, other_state, atol=1e-9)


class Plain(Method):
    guarded = ()

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        return {"y": self.project(views.to(self.head.weight.dtype)).squeeze(1)}

    def loss(self, y: Tensor, turn: int) -> Tensor:
        return y.square().mean() if turn == 0 else (y - 1).square().mean()


def test_two_turns_are_two_optimizers_of_plain_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    method = Plain(None, nn.Flatten(), nn.Linear(192, 2)).double()
    twin = nn.Linear(192, 2).double()
    twin.load_state_dict(method.head.state_dict())
    o = SimpleNamespace(**(vars(options()) | {"views": Views(), "schedule": Schedule(), "epochs": 1}))
    o.batch = Batch(size=64)  # all of the samples, in any order
    loop = fit(context(alone(), tmp_path), method, images(), o)
    data = images()
    x = data["image"].double() / 255
    mean, std = (torch.tensor(v, dtype=torch.float64).view(-1, 1, 1) for v in (data.mean, data.std))
    x = ((x - mean) / std).flatten(1)
    first = torch.optim.Adam(twin.parameters(), 0.01)
    second = torch.optim.SGD(twin.parameters(), 0.05, 0.9)
    total = 0.0
    for optimizer, target in ((first, 0.0), (second, 1.0)):
        optimizer.zero_grad()
        loss = (twin(x) - target).square().mean()
        loss.backward()
        if optimizer is second:
            nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    assert loop.curve[-1]["loss"] == pytest.approx(total, rel=1e-5)
    assert torch.allclose(method.head.weight, twin.weight, atol=1e-6)
