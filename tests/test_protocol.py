"""What methods may rely on: views apart or together, local views, hooks, a probe beside them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine import checkpoint
from repro.engine.method import Method, call
from repro.engine.online import Online
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.errors import UserError
from repro.methods.contrastive.simclr import SimCLR
from repro.methods.parts.memory import Bank, Queue
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.options import Momentum, OnlineProbe
from repro.options.views import expand
from repro.recipes.load import load
from repro.views.augment import Augment
from tests.conftest import Write
from tests.test_views import MEAN, STD, random_images

ONLINE = """
paper: khosla2020-supcon
title: a probe beside the network
tier: cpu
dataset: digits
stages:
  pretrain:
    kind: train
    method: {name: simclr, temperature: 0.5}
    network: {backbone: mlp, hidden: [32], head: {kind: mlp, hidden: 16, out: 8}}
    views: {policy: digits, count: 2}
    epochs: 3
    batch: {size: 64}
    optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
"""


class Statistics(nn.Module):
    """Subtracts the mean of the batch, as BatchNorm does."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


@pytest.mark.parametrize("apart", [False, True])
def test_views_are_one_batch_or_one_each(apart: bool) -> None:
    method = Method(None, Statistics(), nn.Identity())
    method.apart = apart
    views = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    mean = views.mean(0, keepdim=True) if apart else views.mean((0, 1))
    torch.testing.assert_close(method.project(views), views - mean)


def test_call_gives_what_is_named_and_leaves_defaults() -> None:
    def some(a: int, c: int = 5) -> tuple[int, int]:
        return a, c

    assert call(some, {"a": 1, "b": 2}) == (1, 5)
    assert call(some, {"a": 1, "c": 3}) == (1, 3)
    assert call(lambda **facts: facts, {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(KeyError):
        call(some, {"b": 2})


def test_the_views_of_an_image_can_differ_in_kind() -> None:
    options = expand({"count": 2, "flip": 0.0, "each": [{}, {"solarise": {"p": 1.0, "threshold": 0.5}}]})
    images = random_images(6, 3, 8, 8)
    views = Augment(options, 8, (0, 0, 0), (1, 1, 1))(images, 1, torch.arange(6))["views"]
    first = images / 255
    torch.testing.assert_close(views[:, 0], first)
    torch.testing.assert_close(views[:, 1], torch.where(first >= 0.5, 1 - first, first))


def test_each_needs_an_entry_for_every_view() -> None:
    with pytest.raises(ValueError, match="each of the 3 views"):
        expand({"count": 3, "each": [{}, {}]})


def test_local_views_are_further_views_of_their_own_size() -> None:
    options = expand({"policy": "simclr-cifar", "count": 2, "local": {"count": 3, "size": 5, "crop": {}}})
    images, index = random_images(4, 3, 8, 8), torch.arange(4)
    made = Augment(options, 8, MEAN, STD)(images, 1, index)
    assert made["views"].shape == (4, 2, 3, 8, 8)
    assert made["local"].shape == (4, 3, 3, 5, 5)
    alone = Augment(options.model_copy(update={"local": None}), 8, MEAN, STD)(images, 1, index)
    assert torch.equal(alone["views"], made["views"])  # they do not change the others


def test_a_momentum_encoder_is_a_moving_average_without_gradient() -> None:
    leader = nn.Linear(2, 1, bias=False)
    copies = MomentumEncoder(leader)
    start = leader.weight.detach().clone()
    with torch.no_grad():
        leader.weight.add_(1)
    copies.update(leader, decay=0.9)
    (copy,) = copies
    torch.testing.assert_close(copy.weight, start + 0.1)
    assert not any(p.requires_grad for p in copies.parameters())


def test_the_decay_of_the_moving_average() -> None:
    assert ema_decay(Momentum(start=0.9), 7, 10) == 0.9
    rising = Momentum(start=0.9, end=1.0)
    assert [ema_decay(rising, step, 10) for step in (0, 5, 10)] == pytest.approx([0.9, 0.95, 1.0])


@pytest.mark.parametrize("pushes", [[2, 2, 2], [1, 5, 3], [7], [4, 4]])
def test_a_queue_holds_the_last_rows(pushes: list[int]) -> None:
    queue, everything = Queue(5, 1), list(range(5))
    queue.rows.copy_(torch.arange(5.0)[:, None])
    for count in pushes:
        new = [len(everything) + i for i in range(count)]
        queue.push(torch.tensor(new, dtype=torch.float32)[:, None])
        everything += new
    assert sorted(queue.rows[:, 0].tolist()) == everything[-5:]


def test_a_bank_replaces_the_rows_of_the_samples() -> None:
    bank = Bank(4, 2, torch.device("cpu"))
    before = bank.rows.clone()
    bank.put(torch.tensor([3, 1]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert bank.rows[[3, 1]].tolist() == [[1, 2], [3, 4]]
    assert torch.equal(bank.rows[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("apart", [False, True])
def test_the_probe_beside_a_method_gives_it_no_gradient(apart: bool) -> None:
    torch.manual_seed(0)
    encoder, head = nn.Sequential(nn.Flatten(), nn.Linear(12, 6)), nn.Linear(6, 3)
    method = SimCLR(SimCLR.Options(name="simclr"), encoder, head)
    online = Online(OnlineProbe(lr=0.1), method, 6, classes=4)
    online.apart = apart
    views, label = torch.randn(5, 2, 3, 2, 2), torch.tensor([0, 1, 2, 3, 0])
    embedded: dict[str, Any] = online.embed(views=views)
    features = encoder(views.flatten(0, 1)).unflatten(0, (5, 2))
    torch.testing.assert_close(embedded["features"], features)
    loss = call(online.loss, {**embedded, "label": label})
    beside = F.cross_entropy(online.classifier(features.flatten(0, 1)), label.repeat_interleave(2))
    alone = method.loss(**method.embed(views))
    assert loss.item() == pytest.approx((alone + beside).item(), rel=1e-5)
    together = torch.autograd.grad(loss, list(method.parameters()), retain_graph=True)
    for a, b in zip(together, torch.autograd.grad(alone, list(method.parameters())), strict=True):
        torch.testing.assert_close(a, b)
    assert torch.autograd.grad(loss, online.classifier.weight)[0].abs().sum() > 0


def test_an_online_probe_changes_nothing_but_adds_its_accuracy(write_recipe: Write) -> None:
    write_recipe("plain", ONLINE)
    write_recipe("probed", ONLINE + "    online: {lr: 0.5}\n")
    runs = [Run(load(r), 0, set_up("cpu", "fp32")) for r in ("plain", "probed")]
    plain, probed = (run.execute() for run in runs)
    assert probed.metrics["pretrain.online_top1"] > 50
    assert "pretrain.online_top1" not in plain.metrics
    before, after = (checkpoint.load(run.folder / "pretrain" / "output.safetensors")[0] for run in runs)
    assert before.keys() == after.keys()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


def test_an_online_probe_wants_labels(write_recipe: Write) -> None:
    text = ONLINE.replace("digits\nstages", "stl10\nstages") + "    online: {lr: 0.5}\n    split: unlabeled\n"
    write_recipe("probed", text.replace("policy: digits, ", ""))
    with pytest.raises(UserError, match="split `unlabeled` of data set `stl10` has no labels"):
        Run(load("probed"), 0, set_up("cpu", "fp32"), smoke=True).execute()
