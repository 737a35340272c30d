"""Memory: the rehearsal against true computations and a true process, the choice of micro-batches, running out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.bench.memory import Case, measure
from repro.engine import checkpoint, memory, rehearse
from repro.engine.blank import Bytes, Count, Rehearsal
from repro.engine.describe import describe
from repro.engine.find import largest, largest_micro_batch
from repro.engine.plan import BatchPlan, batch_plan
from repro.engine.rehearse import Peak, Place
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.update import Updater
from repro.errors import UserError
from repro.networks.build import build
from repro.networks.layout import channels_last
from repro.networks.resnet import ResNet
from repro.recipes.load import load
from tests import every_method
from tests.conftest import Write, invoke
from tests.test_recipes import GOOD

HERE = Place("cpu", "fp32")


def test_a_storage_counts_once_and_until_it_is_freed() -> None:
    with Count() as count:
        x = torch.zeros(1000)
        view = x[10:]
        more = view + 1
        del more
    assert (count.now, count.peak) == (Bytes(0, 4000), Bytes(0, 4000 + 4 * 990))
    with Count(heap=2000) as count:
        kept = [torch.zeros(1000), torch.zeros(100)]
        del kept[0]
        kept.append(torch.zeros(300))
    assert count.now == Bytes(small=1600, large=0)
    assert (count.peak, count.together) == (Bytes(small=1600, large=4000), 4400)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_rehearsal_counts_what_the_true_computation_takes(precision: str) -> None:
    """Forward and backward of a residual network with autocast, once with blanks and once with true tensors."""

    def work(network: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            y = network(torch.zeros(8, 3, 32, 32))
        y.float().square().mean().backward()

    options = ResNet.Options(backbone="resnet18", stem="cifar")
    network: Any = build(options, (3, 32, 32), 10).encoder
    rehearsal = Rehearsal()
    twin = rehearsal.twin(network)
    weights = rehearsal.now.large
    assert weights == sum(t.nbytes for t in (*network.parameters(), *network.buffers()))
    with rehearsal:
        work(twin)
    with Count() as true:
        work(network)
    assert rehearsal.peak.large - weights == pytest.approx(true.peak.large, rel=0.02)


def test_a_mask_counts_as_if_it_chose_all_places() -> None:
    with Rehearsal():
        x = torch.zeros(6, 4)
        assert x[x > 0].shape == (24,) and x[x[:, 0] > 0].shape == (6, 4)
        assert x[~torch.eye(4, dtype=torch.bool).repeat(2, 1)[:6]].view(6, 3).shape == (6, 3)
        assert (x > 0).any().item() and float(x.sum()) == 1


def test_the_prediction_of_a_perceptron_is_a_count_by_hand(write_recipe: Write) -> None:
    """supcon with hidden [8], head 8 → 4, two views of 8×8 = 64 pixels, plain SGD: weights 64·8+8+8·8+8+8·4+4.

    Only weights stay. At the least gradients and the views of 64 samples, and the 128×128 logits of the loss
    come and go.
    """
    write_recipe("r", GOOD)
    options: Any = load("r").stages["pretrain"]
    standing, small, large, together = rehearse.peak(options, (), "digits", HERE, batch_plan(options.batch))
    weights = (64 * 8 + 8) + (8 * 8 + 8) + (8 * 4 + 4)
    views, logits = 64 * 2 * 64, 128 * 128
    assert large == 0 and together == small and standing == 4 * weights
    assert 4 * (weights + views + 2 * logits) <= small <= 4 * (4 * weights + 8 * views + 12 * logits)


def test_only_what_comes_and_goes_leaves_holes() -> None:
    holes = memory.HOLES["cpu"]
    assert memory.taken(Peak(100, 0, 0, 0), "cpu") == 100
    assert memory.taken(Peak(100, 10, 0, 10), "cpu") == pytest.approx(100 + 10 * holes)
    assert memory.taken(Peak(0, 10, 10, 20), "cpu") == pytest.approx(10 * (holes + memory.MAPPED))
    assert memory.taken(Peak(0, 10, 10, 10), "cpu") == pytest.approx(10 * holes)  # never alive together


def test_the_rehearsed_checkpoint_takes_what_a_true_one_does(tmp_path: Path) -> None:
    """Copies of a network in channels-last and of its optimizer's state, while it is saved."""
    options = ResNet.Options(backbone="resnet18", stem="cifar")
    network = build(options, (3, 32, 32), 10).encoder
    channels_last(network)
    optimizer = torch.optim.AdamW(network.parameters())
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    weights = sum(
        x.nbytes for x in network.state_dict().values()
    )  # `state_dict` makes views of them, which count
    with Count() as true:
        tensors, facts = checkpoint.packed({"method": network, "optimizer": optimizer})
        checkpoint.save(tmp_path / "x.safetensors", tensors, facts)
        del tensors
    rehearsal = Rehearsal()
    with rehearsal:
        rehearse.copy_to_save(network, [optimizer], "cpu")
    assert rehearsal.peak.large == true.peak.large - weights


@pytest.mark.parametrize("name", every_method.ALL)
def test_a_step_of_every_method_can_be_rehearsed(write_recipe: Write, name: str) -> None:
    head = GOOD.partition("stages:")[0]
    write_recipe("r", head + f"stages: {json.dumps(every_method.stages(name))}\n")
    assert memory.predicted(load("r"), "pretrain", HERE) > 0


def test_a_step_with_a_classifier_beside_can_be_rehearsed(write_recipe: Write) -> None:
    write_recipe("r", GOOD.replace("    epochs: 1\n", "    epochs: 1\n    online: {lr: 1}\n"))
    alone = memory.predicted(load("r", ["stages.pretrain.online=null"]), "pretrain", HERE)
    assert memory.predicted(load("r"), "pretrain", HERE) > alone


def test_a_network_that_is_read_is_there_twice(write_recipe: Write) -> None:
    """As it was made, and from the file; weights as in the count by hand."""
    write_recipe("r", GOOD)
    assert memory.loading(load("r").stages["pretrain"], "digits") / 2 == 4 * (
        64 * 8 + 8 + 8 * 8 + 8 + 8 * 4 + 4
    )
    assert memory.loading(None, "digits") == 0


def test_images_are_those_that_are_loaded_and_the_part_that_a_stage_copies(write_recipe: Write) -> None:
    """Digits: 1,437 images of 64 bytes to train on, 360 to test; ten classes with an image each at least."""
    tune = "  tune: {kind: fine_tune, of: pretrain, epochs: 1, batch: {size: 2}, optimizer: {lr: 1}, fraction: 0.1}\n"
    write_recipe("r", GOOD + tune)
    recipe, sizes = load("r"), {"train": 1437, "test": 360}
    assert memory.images(recipe, "pretrain", "cpu", sizes) == memory.images(recipe, "pretrain", "cuda", sizes)
    assert memory.images(recipe, "pretrain", "cpu", sizes) == 64 * 1437
    assert memory.images(recipe, "tune", "cpu", sizes) == 64 * (1437 + 360 + 144)
    assert memory.images(recipe, "tune", "cuda", sizes) == 64 * 144
    assert memory.images(recipe, "tune", "cuda", {"train": 50, "test": 0}) == 64 * 10


def test_the_prediction_agrees_with_the_true_peak_of_a_process() -> None:
    """The benchmark's smallest case: at most 15 % above the truth, and not below."""
    found = measure(Case("supcon-digits", 256), "cpu")
    assert 1 <= found["predicted"] / found["measured"] <= 1.15


@given(st.integers(1, 3000), st.integers(0, 4000))
def test_the_search_finds_the_largest(most: int, limit: int) -> None:
    assert largest(most, lambda n: n <= limit) == max(1, min(most, limit))


@given(st.integers(1, 3000), st.integers(1, 4000))
def test_the_search_finds_the_fewest(most: int, least: int) -> None:
    assert memory.fewest(most, lambda n: n >= least) == min(most, least)


def test_a_micro_batch_fits_and_one_chunk_fewer_would_not(
    write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that takes 5 bytes a sample and 100 besides."""
    monkeypatch.setattr(memory, "predicted", lambda r, s, p, n=None: 100 + 5 * (n or 64 // p.processes))
    write_recipe("r", GOOD)
    recipe = load("r")

    def chosen(limit: float | None, processes: int = 1) -> int | None:
        return memory.micro_batch(recipe, "pretrain", Place("cpu", "fp32", processes), limit)

    assert chosen(None) is None and chosen(420) is None
    assert chosen(419) == 32 and chosen(300) == 32 and chosen(220) == 22 and chosen(1) == 1
    assert chosen(300, processes=2) is None and chosen(250, processes=2) == 16


def test_micro_batches_are_whole_groups(write_recipe: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "predicted", lambda r, s, p, n=None: n or 64)
    write_recipe("r", GOOD)
    recipe = load("r", ["stages.pretrain.batch.bn_span=16"])
    assert [memory.micro_batch(recipe, "pretrain", HERE, limit) for limit in (40, 31, 10)] == [32, 16, 10]


def test_the_plan_is_what_the_run_does(write_recipe: Write) -> None:
    """A process that may take a little less than it needs: what is printed is what the record says."""
    write_recipe("r", GOOD)
    recipe, setup = load("r"), set_up("cpu", "fp32")
    limit = memory.predicted(recipe, "pretrain", memory.place(setup)) - 1
    printed = describe(recipe, memory.place(setup), limit=limit)
    record = Run(recipe, 0, setup, memory=limit).execute()
    plan = record.stages["pretrain"]["plan"]
    assert plan in printed and "2 × 32" in plan
    assert "GB that it may take" in printed or "that it may take" in printed


def test_the_plan_is_of_this_machine_unless_told_otherwise(
    write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", GOOD)
    monkeypatch.setattr("repro.engine.room.free", lambda: 4 * 2**30)
    monkeypatch.setattr(memory, "predicted", lambda r, s, p, n=None: 2**26 * (n or 64 // p.processes))
    here = ("run", "r", "--plan", "--device", "cpu", "--precision", "fp32")
    printed = invoke(*here).output
    assert "r on cpu, fp32" in printed and "1 process × 2 × 32" in printed and "2.0 GB a process" in printed
    assert "2 processes × 32" in invoke(*here, "--processes", "2", "--memory", "2").output
    assert "1 process × 4 × 16" in invoke(*here, "--memory", "1").output
    assert "32 of 64 samples fit on cpu" in invoke("run", "r", "--find-micro-batch", "--device", "cpu").output


def test_the_largest_micro_batch_of_a_small_recipe_is_its_batch(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    assert largest_micro_batch(load("r"), "pretrain", set_up("cpu", "fp32")) == 64


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
