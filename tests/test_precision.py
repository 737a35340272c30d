"""The precision in a record is what ran."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro import paths
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.recipes.load import ids, load
from tests.conftest import Write
from tests.test_recipes import GOOD

NAMES = {torch.float32: "fp32", torch.float64: "fp64", torch.bfloat16: "bf16"}


class Elements(TorchDispatchMode):
    """Counts the numbers that operations give, by precision."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, torch.Tensor) and x.dtype in NAMES:
                self.counts[NAMES[x.dtype]] += x.numel()
        return result


def one_recipe_for_each_experiment() -> dict[str, str]:
    """Experiment -> the first recipe on the CPU that consists of it alone."""
    found: dict[str, str] = {}
    for recipe in (load(name) for name in ids()):
        kinds = {stage.kind for stage in recipe.stages.values() if stage.precision}
        if recipe.tier == "cpu" and len(kinds) == len({stage.kind for stage in recipe.stages.values()}) == 1:
            found.setdefault(kinds.pop(), recipe.id)
    return found


QUICK = ("simplex", "rince_limits", "activation_statistics", "sparse_coding_landscape")


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        pytest.param(kind, recipe, marks=() if kind in QUICK else pytest.mark.long, id=kind)
        for kind, recipe in sorted(one_recipe_for_each_experiment().items())
    ],
)
def test_an_experiment_computes_in_what_its_record_says(
    kind: str, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)
    options = load(recipe).stages
    with Elements() as seen:
        record = Run(load(recipe), 0, set_up("cpu", "bf16"), smoke=True).execute()
    (stated,) = {stage.precision for stage in options.values()}
    assert record.precision == stated  # not bf16, which is only what was asked for
    if seen.counts:  # else it is NumPy's, in float64
        assert seen.counts.most_common(1)[0][0] == stated


def test_a_training_computes_in_what_was_chosen(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    for precision in ("fp32", "bf16"):
        assert Run(load("r"), 0, set_up("cpu", precision), fresh=True).execute().precision == precision
