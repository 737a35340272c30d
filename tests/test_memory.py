"""Micro-batches: the estimate against a count by hand and against torch, the search, and running out of memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from repro.data.load import look_alike
from repro.engine import memory
from repro.engine.find import largest, largest_micro_batch
from repro.engine.method import call
from repro.engine.plan import BatchPlan
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.update import Updater
from repro.errors import UserError
from repro.methods.cross_entropy import CrossEntropy
from repro.networks.build import build
from repro.recipes.load import load
from tests.conftest import Write
from tests.test_recipes import GOOD


def test_the_estimate_of_a_perceptron_is_a_count_by_hand(write_recipe: Write) -> None:
    """supcon with hidden [8], head 8 → 4, two views of 8×8 = 64 pixels, SGD: weights 64·8+8+8·8+8+8·4+4."""
    write_recipe("r", GOOD)
    options = load("r").stages["pretrain"]
    fixed, each = memory.needs(options, (1, 8, 8), 10)
    weights = (64 * 8 + 8) + (8 * 8 + 8) + (8 * 4 + 4)
    assert fixed == 4 * weights * 3  # weights, gradients, momentum
    floats = each / 4 / 2  # a view
    assert (
        64 + 8 + 8 + 4 <= floats <= 64 * 2 + 3 * 8 + 3 * 4 + 4
    )  # inputs once or twice, every activation at least once


def test_the_estimate_counts_what_torch_saves() -> None:
    """The same passes on the CPU: the bytes of the distinct storages that torch really keeps alive."""
    options: Any = load("supce-cifar10").stages["train"]
    options = options.model_copy(
        update={"network": options.network.model_copy(update={"backbone": "resnet18"})}
    )
    data = look_alike("cifar10", "train", 4, key=0)
    _, each = memory.needs(options, data.shape, data.classes)
    method = CrossEntropy(options.method, *build(options.network, data.shape, data.classes))
    counts = []
    for n in (1, 2):
        storages: dict[int, int] = {}
        weights = {p.untyped_storage().data_ptr() for p in method.parameters()}

        def note(x: Tensor, storages: dict[int, int] = storages) -> Tensor:
            storages[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        views = torch.randn(n, 1, 3, 32, 32)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            call(method.embed, {"views": views})
        counts.append(sum(size for at, size in storages.items() if at not in weights))
    assert each == pytest.approx(counts[1] - counts[0], rel=0.05)


@given(st.integers(1, 3000), st.integers(0, 4000))
def test_the_search_finds_the_largest(most: int, limit: int) -> None:
    assert largest(most, lambda n: n <= limit) == max(1, min(most, limit))


def test_micro_batches_follow_the_span() -> None:
    plan = BatchPlan(1024, 128)
    assert memory.micro_batch(plan, fixed=0, each=1, memory=2000) is None
    assert memory.micro_batch(plan, fixed=100, each=1, memory=500) == 256  # 350 fit: two whole groups
    assert memory.micro_batch(plan, fixed=0, each=1, memory=100) == 90  # less than a group
    assert memory.micro_batch(plan, fixed=1000, each=1, memory=100) == 1


def test_the_largest_micro_batch_of_a_small_recipe_is_its_batch(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    data = look_alike("digits", "train", 4, key=0)
    assert largest_micro_batch(load("r").stages["pretrain"], data, set_up("cpu", "fp32")) == 64


def test_running_out_of_memory_halves_the_micro_batch_and_leaves_no_trace(
    write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that cannot hold more than 20 samples: 64 → 32 → 16, and the same result."""
    write_recipe("r", GOOD)
    write_recipe("poor", GOOD)
    setup = set_up("cpu", "fp32")
    rich = Run(load("r"), 0, setup).execute()
    embed = Updater._embed

    def limited(self: Updater, step: int, chunk: Any, *rest: Any, **kwargs: Any) -> Any:
        if step > 3 and chunk.stop - chunk.start > 20:
            raise torch.OutOfMemoryError("simulated")
        return embed(self, step, chunk, *rest, **kwargs)

    monkeypatch.setattr(Updater, "_embed", limited)
    poor = Run(load("poor"), 0, setup).execute()
    assert poor.stages["pretrain"]["out_of_memory_at"] == [64, 32]
    assert "4 × 16" in poor.stages["pretrain"]["plan"]
    assert poor.metrics["pretrain.loss"] == pytest.approx(rich.metrics["pretrain.loss"], rel=1e-4)


def test_when_nothing_helps_the_message_says_what_to_do() -> None:
    updater = Updater(
        SimpleNamespace(processes=1, rank=0),  # type: ignore[arg-type]
        BatchPlan(8, 8, micro_batch=1),
        *[SimpleNamespace()] * 3,  # type: ignore[arg-type]
        seed=0,
    )
    with pytest.raises(UserError, match=r"micro-batch of 1.*--micro-batch"):
        updater._halve()
