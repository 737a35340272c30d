"""The central promise: the division of a batch and restarts do not show in the numbers.

A small ResNet with BatchNorm is trained for 30 steps in float64 with methods of every kind. One process, two
processes, four chunks, both together, and a run that is killed at step 17 and resumed with another division
must give the same losses and weights. Run with `-s` to see the largest differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from repro.engine import checkpoint, optim
from repro.engine.method import Method, call, unit
from repro.engine.plan import BatchPlan
from repro.engine.setup import Setup
from repro.engine.update import Updater, trainable
from repro.keys import generator, key
from repro.methods.clustering.deepcluster_v2 import DeepClusterV2
from repro.methods.clustering.swav import SwAV
from repro.methods.contrastive.moco import MoCo
from repro.methods.contrastive.npid import NPID
from repro.methods.contrastive.simclr import SimCLR, nt_xent
from repro.methods.negative_free.byol import BYOL
from repro.methods.negative_free.dino import DINO
from repro.methods.redundancy_reduction.barlow_twins import BarlowTwins
from repro.methods.supervised.cross_entropy import CrossEntropy
from repro.methods.supervised.supcon import SupCon
from repro.networks.batchnorm import convert
from repro.options import Optimizer
from tests.division import alone
from tests.fitting import two_processes

BATCH, STEPS, SAMPLES, PER_EPOCH = 16, 30, 80, 5


class Contrast(SimCLR):
    def loss(self, z: Tensor) -> Tensor:  # dropout inside the loss must be the same everywhere
        return nt_xent(unit(nn.functional.dropout(z, 0.1)), 0.5)


class Head(nn.Sequential):
    dim = 8

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(16, 8), nn.BatchNorm1d(8, affine=False)
        )  # those of the encoder have weights


PREDICTOR = {"kind": "mlp", "hidden": 8, "out": 8, "norm": True}
METHODS: dict[str, tuple[type[Method], dict[str, Any]]] = {
    "supcon": (SupCon, {}),
    "simclr": (Contrast, {}),
    "cross_entropy": (CrossEntropy, {}),
    "byol": (BYOL, {"predictor": PREDICTOR}),  # a predictor, a momentum encoder
    "barlow_twins": (BarlowTwins, {}),  # statistics over the batch inside the loss
    "moco": (MoCo, {"queue": 24, "symmetric": True}),  # a queue
    "swav": (SwAV, {"prototypes": 6, "queue": 32, "queue_from_epoch": 1}),  # parameters of the loss, Sinkhorn
    "dino": (DINO, {"prototypes": 6, "freeze_epochs": 1}),  # a centre, a layer at rest
    "deepcluster_v2": (DeepClusterV2, {"prototypes": [4, 3]}),  # a bank, clustering
    "npid": (NPID, {"negatives": 6}),  # a bank, draws inside the loss
}


def made(name: str) -> Method:
    """The method with its network, the same weights each time, in float64."""
    torch.manual_seed(1)
    method, options = METHODS[name]
    built = method(method.Options.model_validate({"name": name, **options}), *network())
    built.begin(SAMPLES)
    return built.double()


def network() -> tuple[nn.Module, nn.Module]:
    """A ResNet of two blocks (torchvision's), and a head with BatchNorm."""
    shrink = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        BasicBlock(8, 8),
        BasicBlock(8, 16, stride=2, downsample=shrink),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return encoder, Head()


def train(
    setup: Setup, name: str, span: int, micro: int | None, first: int, last: int, path: Path | None = None
) -> tuple[list[float], Tensor]:
    """Steps [first, last) from the checkpoint at `path` (if `first`), which is written at the end."""
    method = made(name)
    bn = convert(method)
    optimizer = optim.build(Optimizer(lr=0.05, momentum=0.9), trainable(method))
    parts = {"method": method, "optimizer": optimizer}
    if first and path:
        tensors, facts = checkpoint.load(path)
        checkpoint.unpack(parts, tensors, facts)
    plan = BatchPlan(BATCH, span, setup.processes, micro)
    updater = Updater(setup, plan, method, optimizer, bn, seed=5)
    data = torch.randn(SAMPLES, 2, 3, 8, 8, dtype=torch.float64, generator=generator(2))
    data = data[:, : 1 if name == "npid" else 2]
    labels = torch.arange(SAMPLES) % 3
    losses = []
    for step in range(first, last):
        when = {"step": step, "total": STEPS, "epoch": step // PER_EPOCH, "per_epoch": PER_EPOCH}
        torch.manual_seed(key("step", step))
        call(method.before_step, when)
        size = 11 if step % 5 == 4 else BATCH  # some batches are smaller, as the last of an epoch
        index = torch.randperm(SAMPLES, generator=generator(key("order", step)))[:size]
        facts = {"label": labels[index], "index": index}
        loss, embedded = updater.step(step, {"views": data[updater.own(index)]}, facts)
        losses.append(loss.item())
        call(method.after_step, {**when, **embedded, "index": index})
    if path and setup.main:
        tensors, facts = checkpoint.packed(parts)
        checkpoint.save(path, tensors, facts)
    return losses, torch.cat([v.double().flatten() for v in method.state_dict().values()])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple, tuple[list[float], Tensor]]]:
    """(method, span, plan) -> losses and final weights."""
    folder = tmp_path_factory.mktemp("invariance")
    found: dict[tuple, tuple[list[float], Tensor]] = {}
    pairs: dict[tuple, tuple] = {}
    for name in METHODS:
        for span in (4, BATCH):
            found[name, span, "1 process"] = train(alone(), name, span, None, 0, STEPS)
            pairs[name, span, "2 processes"] = (name, span, None, 0, STEPS)
        found[name, 4, "4 chunks"] = train(alone(), name, 4, 4, 0, STEPS)
        pairs[name, 4, "2 processes × 2 chunks"] = (name, 4, 4, 0, STEPS)
        path = folder / f"{name}.safetensors"
        begun = train(alone(), name, 4, 8, 0, 17, path)
        pairs[name, 4, "killed at 17, resumed on 2 processes"] = (name, 4, None, 17, STEPS, path)
        found[name, 4, "first 17"] = begun
    both = two_processes([(train, *job) for job in pairs.values()], folder)
    for label, (result, other) in zip(pairs, both, strict=True):
        assert result[0] == other[0] and torch.equal(result[1], other[1])
        begun_losses = found[label[0], 4, "first 17"][0] if "killed" in label[2] else []
        found[label] = (begun_losses + result[0], result[1])
    yield found


@pytest.mark.parametrize(
    ("span", "plan"),
    [
        (4, "2 processes"),
        (BATCH, "2 processes"),
        (4, "4 chunks"),
        (4, "2 processes × 2 chunks"),
        (4, "killed at 17, resumed on 2 processes"),
    ],
)
@pytest.mark.parametrize("name", METHODS)
def test_the_division_does_not_show(results: dict, name: str, span: int, plan: str) -> None:
    losses, weights = results[name, span, "1 process"]
    other_losses, other_weights = results[name, span, plan]
    in_loss = max(abs(a - b) for a, b in zip(losses, other_losses, strict=True))
    in_weight = (weights - other_weights).abs().max().item()
    print(f"\n{name}, BatchNorm over {span}, {plan}: loss {in_loss:.1e}, weights {in_weight:.1e}")
    assert in_loss < 1e-9 and in_weight < 1e-9


@pytest.mark.parametrize("name", METHODS)
def test_the_span_does_show(results: dict, name: str) -> None:
    """The check above could not fail if BatchNorm ignored its span."""
    assert abs(results[name, 4, "1 process"][0][-1] - results[name, BATCH, "1 process"][0][-1]) > 1e-4


def test_one_process_is_plain_torch() -> None:
    """The engine's step against the loop that anyone would write with torch's own BatchNorm."""
    losses, weights = train(alone(), "supcon", BATCH, None, 0, STEPS)
    method = made("supcon").train()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.05, momentum=0.9)
    data = torch.randn(SAMPLES, 2, 3, 8, 8, dtype=torch.float64, generator=generator(2))
    labels = torch.arange(SAMPLES) % 3
    for step in range(STEPS):
        size = 11 if step % 5 == 4 else BATCH
        index = torch.randperm(SAMPLES, generator=generator(key("order", step)))[:size]
        loss = method.loss(**method.embed(data[index]), label=labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(losses[step], abs=1e-10)
    state = torch.cat([v.double().flatten() for v in method.state_dict().values()])
    assert (state - weights).abs().max() < 1e-9
