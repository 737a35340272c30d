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
from tests import every_method
from tests.every_method import OPTIONS
from tests.test_engine import context
from tests.test_invariance import alone

NETWORK = {
    "backbone": "mlp",
    "hidden": [64],
    "norm": True,
    "head": {"kind": "mlp", "hidden": 32, "out": 16, "norm": True},
}
RATES = {"npid": 0.03, "vicreg": 0.03}  # at the rate of the others VICReg diverges and NPID shrinks
ADAMW = {"msn": {"name": "adamw", "lr": 0.001}}  # as the paper trains transformers


def last_spread(folder: Path, name: str, options: dict[str, Any]) -> float:
    """The spread of the embeddings after 147 steps of a small perceptron; 0 after a Collapse."""
    network = every_method.SPECIAL.get(name, {}).get("network", NETWORK)
    o: Any = options_for(
        ("stages",),
        "kind",
        {
            **every_method.values(name),
            "method": {"name": name, **options},
            "network": {**network, "head": network["head"] and NETWORK["head"]},
            "epochs": 7,
            "batch": {"size": 64, "drop_last": True},
            "optimizer": ADAMW.get(name) or {"name": "sgd", "lr": RATES.get(name, 0.3), "momentum": 0.9},
        },
    )
    data = load("digits", "train")
    torch.manual_seed(0)
    method = components.load(("methods",), name)(o.method, *build(o.network, data.shape, data.classes))
    ctx = context(folder, setup=alone(), device=torch.device("cpu"), checkpoint_every=1e9)
    try:
        return fit(ctx, method, data, o).curve[-1]["embedding_std"]
    except Collapse:
        return 0.0


def watched(name: str) -> bool:
    """Whether the method learns from images alone, and its embeddings must not collapse."""
    method = components.load(("methods",), name)
    return every_method.of_images(name) and not method.Options.needs_labels and method.guarded != ()


@pytest.mark.parametrize("name", [name for name in every_method.ALL if watched(name)])
def test_no_method_collapses(name: str, tmp_path: Path) -> None:
    assert last_spread(tmp_path, name, OPTIONS.get(name, {})) > 0.3


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
