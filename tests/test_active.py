"""Active learning: the dropout network, and a choice among a part of the pool."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from repro.components import options_for
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.keys import hashed, key
from repro.networks.build import build
from repro.recipes.load import load
from tests.conftest import Write

RECIPE = """\
paper: atighehchian2020-baal
title: Choosing
tier: cpu
dataset: digits
stages:
  train: {kind: train, method: {name: cross_entropy}, network: {backbone: mlp, hidden: [8], head: {kind: linear}},
          views: {policy: digits}, epochs: 1, batch: {size: 256}, optimizer: {lr: 0.1}}
  all: {kind: acquire, of: train, by: entropy, count: 20}
  part: {kind: acquire, of: train, by: entropy, count: 20, share: 0.1}
"""


def test_a_part_of_the_pool_is_drawn_and_its_best_are_taken(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path))
    write_recipe("r", RECIPE)
    run = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"))
    run.execute()
    everything, part = (
        load_file(run.folder / stage / "index.safetensors")["index"] for stage in ("all", "part")
    )
    from repro.data.load import load as load_data

    samples = len(load_data("digits", "train"))
    drawn = hashed(key(0, "part", "acquire"), torch.arange(samples)).argsort(stable=True)[
        : round(samples / 10)
    ]
    assert set(part.tolist()) <= set(drawn.tolist())
    among = set(drawn.tolist()) & set(everything.tolist())
    assert among <= set(part.tolist()) and set(part.tolist()) != set(everything.tolist())


def test_dropout_is_before_every_linear_layer_and_of_the_features() -> None:
    spec = {"backbone": "cnn", "channels": [2], "kernel": 3, "hidden": [4, 5], "dropout": 0.5}
    encoder, _ = build(options_for(("networks",), "backbone", spec), (1, 6, 6), 3)  # type: ignore[arg-type]
    kinds = [type(layer) for layer in encoder.net]
    expected = [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Dropout]
    assert kinds == [*expected, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout]
    assert encoder(torch.rand(2, 1, 6, 6)).shape == (2, 5) and encoder.dim == 5
