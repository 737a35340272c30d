"""Every recipe runs end to end, tiny and on random data, and yields the metrics that its stages declare."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from repro import paths
from repro.engine.run import Run, shrunk
from repro.engine.setup import set_up
from repro.errors import UserError
from repro.recipes.load import ids, load


@pytest.mark.parametrize("recipe_id", list(ids()))
def test_recipe_smoke_runs(recipe_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)
    recipe = load(recipe_id)
    run = Run(recipe, seed=0, setup=set_up("cpu", "fp32"), smoke=True)
    try:
        record = run.execute()
    except UserError as error:
        if "pip install" not in str(error):
            raise
        pytest.skip(str(error))  # what an extra brings is not here
    declared = {f"{name}.{m}" for name, stage in shrunk(recipe).stages.items() for m in stage.metrics}
    assert set(record.metrics) == declared
    assert all(math.isfinite(value) for value in record.metrics.values())
    assert not record.comparable
