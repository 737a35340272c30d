"""Compiling in the middle of a run: when it is tried, when it is kept, and that it changes nothing but rounding."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from repro.engine import compiling
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.keys import generator
from repro.networks.dropout import convert
from repro.recipes.load import load
from tests.conftest import Write
from tests.test_recipes import GOOD

SETUP: Any = SimpleNamespace(device=torch.device("cpu"), agree=lambda value: value)


@pytest.fixture(autouse=True)
def _compiled_code_is_allowed_again() -> Iterator[None]:
    yield
    torch.compiler.set_stance("default")


class Networks(nn.Module):
    """Two networks that say when they are compiled, and a clock that goes on by `pace` seconds a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before: float, after: float):
        super().__init__()
        self.encoder, self.head = nn.Linear(2, 2), nn.Linear(2, 2)
        self.paces, self.clock, self.compiled = (before, after), 0.0, []
        for name, child in self.named_children():
            monkeypatch.setattr(child, "compile", lambda name=name: self.compiled.append(name))
        monkeypatch.setattr(compiling.time, "perf_counter", lambda: self.clock)

    def run(self, steps: int) -> dict[str, Any]:
        notes: dict[str, Any] = {}
        course = compiling.trial(SETUP, self, steps, notes)
        for _ in range(steps):
            next(course, None)
            self.clock += self.paces[bool(self.compiled)]
        return notes


@pytest.mark.parametrize(
    ("before", "after", "steps", "compiled", "kept"),
    [
        (10.0, 7.0, 121, True, True),  # 91 steps of 10 seconds are left when it is decided
        (10.0, 9.9, 121, True, False),
        (10.0, 7.0, 119, False, None),  # 89: it would not pay
        (10.0, 7.0, 20, False, None),
    ],
)
def test_it_is_tried_when_enough_is_left_and_kept_when_it_helps(
    monkeypatch: pytest.MonkeyPatch,
    before: float,
    after: float,
    steps: int,
    compiled: bool,
    kept: bool | None,
) -> None:
    monkeypatch.setattr(compiling, "DEVICES", ("cpu",))
    stances: list[str] = []
    monkeypatch.setattr(torch.compiler, "set_stance", stances.append)
    networks = Networks(monkeypatch, before, after)
    notes = networks.run(steps)
    assert networks.compiled == (["encoder", "head"] if compiled else [])
    expected = {"seconds_before": before, "seconds_after": after, "kept": kept}
    assert notes == ({"compiled": expected} if compiled else {})
    assert stances == ["default"] + ["force_eager"] * (kept is False)


def test_it_is_not_tried_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = Networks(monkeypatch, 10.0, 1.0)
    assert networks.run(1000) == {} and not networks.compiled


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("micro_batch", "gain"),
    [
        (16, 1e9),
        pytest.param(None, 1e9, marks=pytest.mark.long),
        pytest.param(16, 0.0, marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_compiled_on_its_way_gives_the_same_result(
    write_recipe: Write, monkeypatch: pytest.MonkeyPatch, micro_batch: int | None, gain: float
) -> None:
    """In float32: with gradient caching, and also when the compiled code is given up again."""
    write_recipe("plain", GOOD)
    write_recipe("compiled", GOOD)
    setup = set_up("cpu", "fp32")
    plain = Run(load("plain"), 0, setup, micro_batch=micro_batch).execute()
    for name, value in {"DEVICES": ("cpu",), "SETTLING": 2, "TIMED": 1, "WORTH": 0.0, "GAIN": gain}.items():
        monkeypatch.setattr(compiling, name, value)
    compiled = Run(load("compiled"), 0, setup, micro_batch=micro_batch).execute()
    assert compiled.stages["pretrain"]["compiled"]["kept"] == (gain > 0)
    assert "compiled" not in plain.stages["pretrain"]
    for one, other in zip(plain.curves["pretrain"], compiled.curves["pretrain"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_dropout_draws_the_same_and_is_compiled_once() -> None:
    """Keys and places change at every step; they must neither be burnt in nor lead to another compilation."""
    network = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3))
    masks = convert(network)
    x = torch.randn(6, 5, 8, generator=generator(1))

    def passes() -> list[torch.Tensor]:
        found = []
        for key, first, samples in ((1, 0, 6), (2, 0, 6), (3, 2, 6), (4, 5, 6)):
            masks.begin(key, first, samples, torch.device("cpu"))
            found.append(network(x[:samples]))
        return found

    plain = passes()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    network.compile()
    for one, other in zip(plain, passes(), strict=True):
        assert torch.allclose(one, other, atol=1e-6) and torch.equal(one == 0, other == 0)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
