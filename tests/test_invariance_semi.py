"""The central promise, through `fit`, for methods with few, wrong or no labels: division and restarts do not show.

Two streams, adversaries found inside of `embed`, labels that depend on the epoch, keyed latent variables and masks, a
momentum encoder, layers that learn apart with dropout, clustering of the whole set.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from repro.components import load, options_for
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.networks.build import build
from repro.options import Batch, Optimizer, Schedule, TrainingOptions, Views
from tests.division import Results, assert_alike, divided, outcome
from tests.fitting import After, context, images

MLP: dict[str, Any] = {
    "backbone": "mlp",
    "hidden": [6, 5],
    "norm": True,
    "head": {"kind": "linear", "out": 3},
}
VIT: dict[str, Any] = {"backbone": "vit", "patch": 2, "width": 8, "depth": 1, "heads": 2}
CODER: dict[str, Any] = {"backbone": "mlp", "hidden": [6, 2], "last": "linear"}
UNLABELLED = {"streams": {"unlabelled": {"ratio": 3, "views": {"flip": 0.5, "pad_crop": 1}}}}
PAIRS = {"streams": {"unlabelled": {"ratio": 3, "views": {"count": 2, "flip": 0.5, "pad_crop": 1}}}}
# method: its options, network, views, and what else is special in the training
METHODS: dict[str, tuple[dict[str, Any], dict[str, Any], int, dict[str, Any]]] = {
    "fixmatch": ({"threshold": 0.35, "decay": 0.9}, MLP, 1, PAIRS),
    "vat": ({"epsilon": 0.5}, MLP, 1, UNLABELLED),
    "massive_noise": ({"alpha": 1}, MLP, 1, {}),
    "vae": (
        {"decoder": {"kind": "perceptron", "hidden": [5], "out": 192}, "initial_sd": 0.1},
        {**MLP, "head": {"kind": "linear", "out": 4}}, 1, {},
    ),
    "autoencoder": (
        {"layer": 2, "dropout": 0.2}, {**CODER, "head": {"kind": "perceptron", "hidden": [6], "out": 192}}, 1, {},
    ),
    "dec": ({"interval": 2, "starts": 1}, {**CODER, "head": {"kind": "centres", "clusters": 3}}, 1, {}),
    "mae": ({"width": 8, "depth": 1, "heads": 2}, VIT, 1, {}),
    "msn": ({"prototypes": 6, "mask": 0.5}, {**VIT, "head": {"kind": "linear", "out": 5}}, 2, {}),
}  # fmt: skip
PLANS = {"chunks": (1, 4), "processes": (2, None), "processes and chunks": (2, 4)}


def double(x: Any) -> Any:
    return x.double() if isinstance(x, Tensor) and x.is_floating_point() else x


def made(name: str) -> Method:
    """The method in float64, to which views come in float32."""
    options, spec, _, _ = METHODS[name]
    kind = load(("methods",), name)

    class Widened(kind):  # type: ignore[misc, valid-type]
        @wraps(kind.embed)
        def embed(self, **given: Any) -> dict[str, Tensor]:
            return kind.embed(self, **{name: double(x) for name, x in given.items()})  # type: ignore[no-any-return]

    torch.manual_seed(1)
    network: Any = build(options_for(("networks",), "backbone", spec), (3, 8, 8), 3)  # type: ignore[arg-type]
    first = network.encoder.project if spec is VIT or spec["backbone"] == "vit" else network.encoder.net
    first.register_forward_pre_hook(lambda module, given: tuple(map(double, given)))
    method: Method = Widened(options_for(("methods",), "name", {"name": name, **options}), *network)
    return method.double()


def options(name: str) -> Any:
    _, _, views, special = METHODS[name]
    training: dict[str, Any] = {
        "batch": Batch(size=16, bn_span=4),
        "optimizer": Optimizer(lr=0.05, momentum=0.9),
        "schedule": Schedule(name="cosine"),
        "epochs": 3,
    }
    seen = Views(count=views, flip=0.5, pad_crop=1)
    return SimpleNamespace(views=seen, **dict(TrainingOptions(kind="train", **training, **special)))


def train(setup: Setup, name: str, micro: int | None, folder: Path, stop: int | None = None) -> Any:
    """The losses and the final state; or why the run stopped, being asked for the `stop`-th time."""
    deadline = After(stop) if stop is not None else None
    return outcome(context(setup, folder, deadline), made(name), images(), options(name), micro)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return divided(train, METHODS, PLANS, 4, tmp_path_factory.mktemp("semi"))


@pytest.mark.parametrize("plan", ["resumed", *PLANS])
@pytest.mark.parametrize("name", METHODS)
def test_the_division_does_not_show(results: Results, name: str, plan: str) -> None:
    assert_alike(results, name, plan)
