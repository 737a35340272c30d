"""torch.compile in the middle of a run, if it pays for itself over what is left of it.

Compiling takes minutes, and what it gains depends on the network, the batch and the machine. So it is tried: on a
GPU, when enough of the run is left, the steps before are timed and so are those after, and unless they got faster
the networks go on as they were. Same formulas, same draws (dropout is keyed): the results differ by
rounding. TORCH_COMPILE_DISABLE=1 switches it off.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

import torch
from torch import nn

from repro.engine.setup import Setup

DEVICES = ("cuda",)
SETTLING = 10  # steps that are not timed: allocation, choice of kernels, compilation
TIMED = 20  # steps that are
WORTH = 900.0  # seconds that have to be left of the run
GAIN = 0.97  # kept if a step takes at most this share of what it took before


def trial(setup: Setup, networks: nn.Module, left: int, notes: dict[str, Any]) -> Iterator[None]:
    """To be advanced once before each of the `left` steps of a run; compiles the children of `networks`, or does not.

    What came of it is put into `notes`: the seconds a step before and after, and whether it was kept.
    """
    if setup.device.type not in DEVICES:
        return
    torch.compiler.set_stance("default")  # a run before may have ended with it taken back
    eager = yield from _seconds_a_step(setup)
    if (left - SETTLING - TIMED) * eager < WORTH:
        return
    _compile(networks)
    compiled = yield from _seconds_a_step(setup)
    kept = compiled <= GAIN * eager
    if not kept:
        torch.compiler.set_stance("force_eager")
    notes["compiled"] = {"seconds_before": round(eager, 4), "seconds_after": round(compiled, 4), "kept": kept}


def _compile(networks: nn.Module) -> None:
    torch._dynamo.config.suppress_errors = True  # what cannot be compiled runs as it is
    torch._inductor.config.fallback_random = True
    for child in networks.children():
        child.compile()


def _seconds_a_step(setup: Setup) -> Generator[None, None, float]:
    """Over the steps that follow; the main process's clock, so that all processes decide alike."""
    yield from _steps(SETTLING)
    began = _now(setup)
    yield from _steps(TIMED)
    return (_now(setup) - began) / TIMED


def _steps(count: int) -> Iterator[None]:
    for _ in range(count):
        yield


def _now(setup: Setup) -> float:
    if setup.device.type == "cuda":
        torch.cuda.synchronize()
    return setup.agree(time.perf_counter())
