"""What can be told of a run before it starts: why it would fail, how long it may take, how to try it smaller."""

from __future__ import annotations

from typing import Any

from repro.data.declare import declaration
from repro.engine.describe import batches_of
from repro.engine.plan import batch_plan
from repro.errors import UserError, suggestion
from repro.options import Batch
from repro.recipes.feasible import Machine, obstacle
from repro.recipes.schema import Recipe


def hindrance(
    recipe: Recipe, here: Machine, processes: int = 1, smoke: bool = False, sensibly: bool = False
) -> str | None:
    """Why the recipe cannot run on `here` with so many processes, in a few words, or None when it can.

    A `smoke` run brings its own small data. See `repro.recipes.feasible.obstacle` for `sensibly`.
    """
    if processes > 1 and not any(stage.divides for stage in recipe.stages.values()):
        return "its work cannot be divided, so that every process would do all of it; leave out --processes"
    if smoke:
        return None
    try:
        return obstacle(recipe, here, sensibly) or _data(recipe) or indivisible(recipe, processes)
    except UserError as error:  # the data set's declaration is broken
        return str(error).rstrip(".")


def indivisible(recipe: Recipe, processes: int) -> str | None:
    """Why the batches of the recipe cannot be shared by so many processes, or None when they can."""
    for name, stage in recipe.stages.items():
        batch = getattr(stage, "batch", None)
        if not isinstance(batch, Batch) or recipe.dataset is None:
            continue
        try:
            for samples in batches_of(recipe, stage).sizes:
                batch_plan(batch, processes).check(samples)
        except UserError as error:
            return f"stage `{name}`: {str(error).rstrip('.')}"
    return None


def _data(recipe: Recipe) -> str | None:
    """A data set or a split that is missing in the recipe or in the declaration of the set."""
    stages: dict[str, Any] = dict(recipe.stages)
    for name, stage in stages.items():
        split = getattr(stage, "split", None)
        if split is None:
            continue
        if recipe.dataset is None:
            return f"stage `{name}` needs data, and the recipe names no `dataset`"
        splits = declaration(recipe.dataset).splits
        if split not in splits:
            near = suggestion(split, splits).rstrip("?") or f"; it has {', '.join(splits)}"
            return f"stage `{name}`: data set `{recipe.dataset}` has no split `{split}`{near}"
    return None
