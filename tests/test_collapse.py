"""Short runs on the digits: no self-supervised method collapses, and those do that the papers say collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from repro import components
from repro.components import options_for
from repro.data.load import load
from repro.engine.fit import fit
from repro.engine.loop import Collapse
from repro.networks.build import build
from tests.test_engine import context
from tests.test_invariance import alone

SUPERVISED = {"cross_entropy", "supcon"}
PREDICTOR = {"kind": "mlp", "hidden": 32, "out": 16, "norm": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "align_uniform": {},
    "barlow_twins": {},
    "byol": {"predictor": PREDICTOR, "momentum": {"start": 0.5}},
    "dcl": {},
    "debiased": {},
    "deepcluster_v2": {"prototypes": [10, 10]},
    "dino": {"prototypes": 32, "momentum": {"start": 0.9, "end": 1.0}},
    "fastsiam": {"predictor": PREDICTOR},
    "hcl": {},
    "intl": {},
    "invariant_spread": {},
    "moco": {"queue": 256, "momentum": {"start": 0.9}},
    "moco_v3": {"predictor": PREDICTOR, "momentum": {"start": 0.9}},
    "nnclr": {"predictor": PREDICTOR, "queue": 256},
    "npid": {"negatives": 1000, "temperature": 0.2},
    "ressl": {"queue": 256, "momentum": {"start": 0.9}},
    "simclr": {},
    "simsiam": {"predictor": PREDICTOR},
    "spectral": {},
    "swav": {"prototypes": 30},
    "tico": {"momentum": {"start": 0.9, "end": 1.0}},
    "vicreg": {},
    "wmse": {"size": 64},
}
RATES = {"npid": 0.03, "vicreg": 0.03}  # at the rate of the others VICReg diverges and NPID shrinks


def last_spread(folder: Path, name: str, options: dict[str, Any]) -> float:
    """The spread of the embeddings after 147 steps of a small perceptron; 0 after a Collapse."""
    count = {"fastsiam": 4, "npid": 1}.get(name, 2)
    o: Any = options_for(
        ("stages",),
        "kind",
        {
            "kind": "train",
            "method": {"name": name, **options},
            "network": {
                "backbone": "mlp",
                "hidden": [64],
                "norm": True,
                "head": {"kind": "mlp", "hidden": 32, "out": 16, "norm": True},
            },
            "views": {"policy": "digits", "count": count},
            "epochs": 7,
            "batch": {"size": 64, "drop_last": True},
            "optimizer": {"name": "sgd", "lr": RATES.get(name, 0.3), "momentum": 0.9},
        },
    )
    data = load("digits", "train")
    torch.manual_seed(0)
    network = build(o.network, data.shape, data.classes)
    method = components.load(("methods",), name)(o.method, *network)
    ctx = context(folder, setup=alone(), device=torch.device("cpu"), checkpoint_every=1e9)
    try:
        return fit(ctx, method, data, o).curve[-1]["embedding_std"]
    except Collapse:
        return 0.0


@pytest.mark.parametrize("name", sorted({*components.names(("methods",))} - SUPERVISED))
def test_no_method_collapses(name: str, tmp_path: Path) -> None:
    assert name in OPTIONS, "a new method: give it the options of a small run here"
    assert last_spread(tmp_path, name, OPTIONS[name]) > 0.3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("byol", {**OPTIONS["byol"], "predictor": None}),
        ("simsiam", {"predictor": None}),
        ("simsiam", {**OPTIONS["simsiam"], "stop_gradient": False}),
    ],
    ids=["BYOL without predictor", "SimSiam without predictor", "SimSiam without stopped gradient"],
)
def test_without_what_holds_them_apart_the_embeddings_collapse(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    assert last_spread(tmp_path, name, options) < 0.05
