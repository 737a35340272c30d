"""The central promise, through `fit`, for few-shot, metric, distillation and pretext methods: division and restarts
do not show. Banks, draws in the loss, layers of the loss, a frozen teacher, clustering, episodes, P×K batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.methods.clustering.deepcluster import DeepCluster
from repro.methods.distillation.crd import CRD
from repro.methods.few_shot.matching import Matching
from repro.methods.metric.npair import NPair
from repro.methods.metric.snca import SNCA
from repro.methods.metric.triplet import Triplet
from repro.methods.pretext.deep_infomax import DeepInfoMax
from repro.methods.pretext.relational import Relational
from repro.methods.pretext.rotation import Rotation
from repro.networks.build import Bare, Network, composite
from repro.networks.conv4 import Conv4
from repro.options import Batch, Optimizer, SampledOptions, Schedule, TrainingOptions, Views
from tests.division import Results, assert_alike, divided, outcome
from tests.fitting import SAMPLES, After, context, images

METHODS: dict[str, tuple[type[Method], dict[str, Any], int]] = {  # with options and views
    "snca": (SNCA, {}, 1),
    "crd": (CRD, {"negatives": 9, "dim": 4, "teacher_weight": 0.5}, 1),
    "relational": (Relational, {"hidden": 6, "focusing": 2.0}, 3),
    "rotation": (Rotation, {}, 2),
    "deep_infomax": (DeepInfoMax, {"hidden": 6}, 1),
    "deepcluster": (DeepCluster, {"clusters": 5, "starts": 1}, 1),
    "matching": (Matching, {"scale": 10.0}, 1),
    "npair": (NPair, {"negatives": 2}, 1),
    "triplet": (Triplet, {"margin": None}, 1),
}
SAMPLERS: dict[str, dict[str, Any]] = {  # of four rows; the others take 16 samples
    "matching": {"name": "episodes", "way": 3, "shots": 1, "queries": 2},
    "npair": {"name": "classes", "each": 2},
    "triplet": {"name": "classes", "each": 3},
}
HEADS = {"crd": 6, "rotation": 4, "deepcluster": 5}
PLANS = {"chunks": (1, True), "processes": (2, False), "processes and chunks": (2, True)}


class Widened(nn.Module):
    """Views are made in float32."""

    def forward(self, x: Tensor) -> Tensor:
        return x.double()


def network(outputs: int | None) -> Network:
    options = {"backbone": "conv4", "widths": (4, 4, 4, 6), "pool": "average", "last": "global"}
    encoder = Conv4(Conv4.Options.model_validate(options), (3, 8, 8))
    encoder.local.insert(0, Widened())
    return Network(encoder, nn.Linear(6, outputs) if outputs else Bare(6))


def made(name: str) -> Method:
    torch.manual_seed(1)
    kind, options, _ = METHODS[name]
    further: dict[str, Any] = {"teacher": composite(network(6))} if name == "crd" else {}
    method = kind(
        kind.Options.model_validate({"name": name, **options}), *network(HEADS.get(name)), **further
    )
    if name == "crd":
        method.still = (method.teacher.requires_grad_(False),)  # type: ignore[operator, union-attr]
    return method.double()


def data() -> Any:
    """Six classes of six or seven images."""
    return replace(images().having(label=torch.arange(SAMPLES) % 6), classes=6)


def options(name: str) -> Any:
    sampler = SAMPLERS.get(name)
    training: Any = {
        "batch": Batch(size=4, bn_span=2) if sampler else Batch(size=16, bn_span=4),
        "optimizer": Optimizer(lr=0.05, momentum=0.9),
        "schedule": Schedule(name="cosine"),
        "data": SampledOptions.model_validate({"sampler": sampler}) if sampler else None,
        "steps": 9,
    }
    made_of = Views(count=METHODS[name][2], flip=0.5, pad_crop=1)
    return SimpleNamespace(views=made_of, **dict(TrainingOptions(kind="train", **training)))


def train(setup: Setup, name: str, chunked: bool | None, folder: Path, stop: int | None = None) -> Any:
    """The losses and the final state; or why the run stopped, being asked for the `stop`-th time."""
    micro = (2 if name in SAMPLERS else 4) if chunked else None
    deadline = After(stop) if stop is not None else None
    return outcome(context(setup, folder, deadline), made(name), data(), options(name), micro)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return divided(train, METHODS, PLANS, True, tmp_path_factory.mktemp("families"))


@pytest.mark.parametrize("plan", ["resumed", *PLANS])
@pytest.mark.parametrize("name", METHODS)
def test_the_division_does_not_show(results: Results, name: str, plan: str) -> None:
    assert_alike(results, name, plan)
