"""The central promise, through `fit`, for text: dropout of attention, noise in the loss, a teacher, centroids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from repro.components import load
from repro.data.table import Ragged, Table
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.keys import generator
from repro.networks.build import Bare
from repro.options import Batch, Optimizer, Schedule, TrainingOptions
from repro.views.kinds.tokens_options import TokensOptions
from tests.division import Results, assert_alike, divided, outcome
from tests.fitting import After, context

TEXTS, LENGTH, VOCABULARY = 38, 7, 12
METHODS: dict[str, dict[str, Any]] = {
    "simcse": {},
    "clusterns": {"clusters": 3, "start_cosine": 1.0, "rate": 0.1, "margin_weight": 1.0},
    "dclr": {"threshold": 0.5, "noise": 2},
    "next_token": {},
}
PLANS = {"chunks": (1, 4), "processes": (2, None), "processes and chunks": (2, 4)}


def texts() -> Table:
    """Of 1 to 9 tokens."""
    random = generator(2)
    starts = torch.randint(1, 10, (TEXTS,), generator=random).cumsum(0)
    tokens = torch.randint(1, VOCABULARY, (int(starts[-1]),), generator=random)
    ragged = Ragged(tokens, torch.cat([starts.new_zeros(1), starts]))
    return Table(fields={"tokens": ragged}, name="t", split="train", shape=(9, VOCABULARY))


def network(name: str) -> Any:
    backbone = "gpt" if name == "next_token" else "text_transformer"
    kind = load(("networks",), backbone)
    options = {"backbone": backbone, "width": 8, "layers": 2, "head_width": 4, "dropout": 0.2}
    if name == "next_token":
        options["band"] = 3
    return kind(kind.Options.model_validate(options), (LENGTH, VOCABULARY))


def made(name: str) -> Method:
    torch.manual_seed(1)
    kind = load(("methods",), name)
    further = {"teacher": network(name)} if name == "dclr" else {}
    options = kind.Options.model_validate(
        {"name": name, "temperature": 0.5, **METHODS[name]} if name != "next_token" else {"name": name}
    )
    method: Method = kind(options, network(name), Bare(8), **further)
    if further:
        method.still = (further["teacher"].requires_grad_(False),)
    return method.double()


def options(name: str) -> Any:
    training: Any = {
        "batch": Batch(size=16),
        "optimizer": Optimizer(name="adamw", lr=0.01),
        "schedule": Schedule(name="cosine"),
        "epochs": 3,
    }
    views = TokensOptions(kind="tokens", length=LENGTH, count=1 if name == "next_token" else 2)
    return SimpleNamespace(views=views, **dict(TrainingOptions(kind="train", **training)))


def train(setup: Setup, name: str, micro: int | None, folder: Path, stop: int | None = None) -> Any:
    """The losses and the final state; or why the run stopped, being asked for the `stop`-th time."""
    ctx = replace(
        context(setup, folder, After(stop) if stop is not None else None), load=lambda split: texts()
    )
    return outcome(ctx, made(name), texts(), options(name), micro)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return divided(train, METHODS, PLANS, 8, tmp_path_factory.mktemp("text"))


@pytest.mark.parametrize("plan", ["resumed", *PLANS])
@pytest.mark.parametrize("name", METHODS)
def test_the_division_does_not_show(results: Results, name: str, plan: str) -> None:
    assert_alike(results, name, plan)
