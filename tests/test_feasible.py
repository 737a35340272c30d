"""What keeps a machine from running a recipe."""

from __future__ import annotations

import pytest

from repro.recipes import feasible
from repro.recipes.feasible import Machine, obstacle
from repro.recipes.load import load

LAPTOP, SERVER = Machine(16, ()), Machine(256, (("a GPU", 80.0),))


@pytest.fixture(autouse=True)
def _everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "available", lambda dataset: dataset)
    monkeypatch.setattr(feasible, "find_spec", lambda module: module)


def test_tiers_and_memory_count_only_where_it_should_be_sensible() -> None:
    assert obstacle(load("supcon-digits"), LAPTOP) is None
    assert obstacle(load("supcon-cifar100"), LAPTOP) == "needs a GPU"
    assert obstacle(load("supcon-cifar100"), LAPTOP, sensibly=False) is None
    assert obstacle(load("supcon-cifar100"), SERVER) is None
    assert obstacle(load("swav-imagenet"), SERVER) == "needs a cluster"
    wide = load("supcon-cifar100").model_copy(update={"memory_gb": 96.0})
    assert obstacle(wide, SERVER) == "needs 96 GB of memory and 80 GB are there"


def test_data_that_are_not_here_stop_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "available", lambda dataset: None)
    assert "data set `cifar100` is not here" in (obstacle(load("supcon-cifar100"), SERVER, False) or "")
    assert obstacle(load("supcon-simplex-toy"), LAPTOP) is None  # it has none


@pytest.mark.parametrize(
    ("recipe", "modules"),
    [
        ("hebbian-cartpole", {"gymnasium"}),
        ("hebbian-carracing", {"gymnasium", "Box2D"}),
        ("hebbian-ant", {"gymnasium", "mujoco"}),
    ],
)
def test_a_simulator_that_is_not_installed_is_named(
    recipe: str, modules: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in modules:
        monkeypatch.setattr(feasible, "find_spec", lambda module, missing=missing: module != missing or None)
        why = obstacle(load(recipe), LAPTOP, sensibly=False) or ""
        assert why.startswith(f"`{missing}` is not installed") and "repro-recipes[control]" in why
    monkeypatch.setattr(feasible, "find_spec", lambda module: module in modules or None)
    assert obstacle(load(recipe), LAPTOP, sensibly=False) is None
