"""What only a GPU can show: fused optimizers after a resume, the invariance on it, memory that runs out.

`make gpu-check` runs these; elsewhere they are skipped. All of it takes a few minutes at most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from repro.components import options_for
from repro.data.load import look_alike
from repro.engine import memory
from repro.engine.find import largest_micro_batch
from repro.engine.fit import fit
from repro.engine.setup import Setup
from repro.methods.supervised.supcon import SupCon
from repro.networks.build import build
from repro.networks.dropout import convert
from repro.options import Optimizer
from tests import fitting
from tests.fitting import METHODS, context, images, options

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
OPTIMIZERS = {
    "sgd": Optimizer(name="sgd", lr=0.05, momentum=0.9),
    "adam": Optimizer(name="adam", lr=1e-3),
    "adamw": Optimizer(name="adamw", lr=1e-3, weight_decay=0.1),
    "lars": Optimizer(name="lars", lr=0.5, momentum=0.9, weight_decay=1e-4),
}


@pytest.fixture(scope="module")
def gpu() -> Setup:
    return Setup(Accelerator(), "fp32")


def run(
    setup: Setup, name: str, folder: Path, micro: int | None = None, stop: int | None = None, **changes: Any
) -> tuple[list[float], torch.Tensor]:
    """Losses and final state of a run in float64, which may be stopped on its way and resumed."""
    o = options(4)
    vars(o).update(changes)
    for deadline in [fitting.After(stop)] if stop else []:
        with pytest.raises(fitting.Stopped):
            fit(context(setup, folder, deadline), fitting.made(name), images(), o, micro)
    method = fitting.made(name)
    loop = fit(context(setup, folder), method, images(), o, micro)
    state = torch.cat([t.double().flatten() for t in method.state_dict().values()])
    return [row["loss"] for row in loop.curve], state.cpu()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_goes_on_with_fused_optimizers(gpu: Setup, tmp_path: Path, optimizer: str) -> None:
    """Weights are channels-last and state comes from a file: their strides have to agree."""
    chosen = {"optimizer": OPTIMIZERS[optimizer]}
    whole, state = run(gpu, "counting", tmp_path / "whole", **chosen)
    pieces, other_state = run(gpu, "counting", tmp_path / "pieces", stop=14, **chosen)
    assert pieces == pytest.approx(whole, abs=1e-9)
    assert (state - other_state).abs().max() < 1e-9


class Thawing(fitting.Counting):
    def before_step(self, step: int) -> None:
        super().before_step(step)
        self.head.requires_grad_(step >= 4)


def test_a_part_that_thaws_is_trained(gpu: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "thawing", lambda: (Thawing, {"temperature": 0.5}))
    whole, state = run(gpu, "thawing", tmp_path / "whole")
    pieces, other_state = run(gpu, "thawing", tmp_path / "pieces", stop=11)
    assert pieces == pytest.approx(whole, abs=1e-9) and (state - other_state).abs().max() < 1e-9
    assert not torch.equal(state, run(gpu, "counting", tmp_path / "never")[1])


@pytest.mark.parametrize("name", METHODS)
def test_chunks_and_stops_do_not_show(gpu: Setup, tmp_path: Path, name: str) -> None:
    """One pass, four chunks, and chunks that are stopped within a step, all on the GPU; and the CPU's result."""
    losses, state = run(gpu, name, tmp_path / "whole")
    for label, micro, stop in (("chunks", 4, None), ("resumed", 4, 21)):
        other_losses, other_state = run(gpu, name, tmp_path / label, micro, stop)
        in_loss = max(abs(a - b) for a, b in zip(losses, other_losses, strict=True))
        print(f"\n{name}, {label}: loss {in_loss:.1e}, state {(state - other_state).abs().max().item():.1e}")
        assert in_loss < 1e-9 and (state - other_state).abs().max() < 1e-9


def test_dropout_draws_what_it_draws_on_the_cpu() -> None:
    found = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        layer = nn.Dropout(0.3)
        convert(layer).begin(7, 3, 5, device)
        found.append(layer(torch.ones(10, 33, device=device)).cpu())
    assert torch.equal(*found)


def test_running_out_of_memory_halves_the_micro_batch(
    gpu: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device's own error, from an allocation that it cannot make."""
    losses, state = run(gpu, "counting", tmp_path / "rich")
    embed = fitting.Counting.embed

    def greedy(self: Any, views: torch.Tensor) -> dict[str, torch.Tensor]:
        if len(views) > 5:
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
        return embed(self, views)

    monkeypatch.setattr(fitting.Counting, "embed", greedy)
    poor, other_state = run(gpu, "counting", tmp_path / "poor")
    assert poor == pytest.approx(losses, abs=1e-9) and (state - other_state).abs().max() < 1e-9


RESNET = {
    "kind": "train",
    "method": {"name": "supcon", "temperature": 0.1},
    "network": {"backbone": "resnet18", "stem": "cifar", "head": {"kind": "mlp", "hidden": 512, "out": 128}},
    "views": {"policy": "simclr-cifar", "count": 2},
    "epochs": 1,
    "batch": {"size": 64},
    "optimizer": {"lr": 0.1, "momentum": 0.9},
}


def test_the_estimate_of_memory_is_near_what_is_used(gpu: Setup, tmp_path: Path) -> None:
    """A ResNet-18 on 64 images of CIFAR's shape: the most that torch allocates, against weights and samples."""
    data = look_alike("cifar10", "train", 64, key=0)
    o: Any = options_for(("stages",), "kind", RESNET)
    method = SupCon(o.method, *build(o.network, data.shape, data.classes))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    fit(context(gpu, tmp_path), method, data, o)
    used = torch.cuda.max_memory_allocated() - before
    fixed, each = memory.needs(o, data.shape, data.classes)
    print(f"\nexpected {(fixed + 64 * each) / 2**20:.0f} MiB, used {used / 2**20:.0f} MiB")
    assert 0.5 < used / (fixed + 64 * each) < 2


def test_the_largest_micro_batch_is_found_by_trying(gpu: Setup) -> None:
    data = look_alike("cifar10", "train", 4, key=0)
    assert largest_micro_batch(options_for(("stages",), "kind", RESNET), data, gpu) == 64


def test_bf16_and_compilation_run_with_keyed_dropout(gpu: Setup, tmp_path: Path) -> None:
    """In bf16 the losses stay near those in float32, and compiled they stay near those that are not."""
    found = []
    for precision, compiled in (("fp32", False), ("bf16", False), ("fp32", True)):
        method = fitting.made("counting").float()
        if compiled:
            method.encoder.compile()
        loop = fit(context(Setup(gpu.accelerator, precision), tmp_path / f"{precision} {compiled}"), method, images(),
                   options(4))  # fmt: skip
        found.append(loop.curve[0]["loss"])
    assert found[1] == pytest.approx(found[0], rel=0.05)
    assert found[2] == pytest.approx(found[0], rel=1e-3)
