"""Why a run would fail, told before it starts."""

from __future__ import annotations

from repro.engine.plan import batch_plan
from repro.engine.sizes import batches_of
from repro.errors import UserError
from repro.options import TrainingOptions
from repro.recipes.feasible import Machine, obstacle
from repro.recipes.schema import Recipe


def hindrance(
    recipe: Recipe, here: Machine, processes: int = 1, smoke: bool = False, sensibly: bool = False
) -> str | None:
    """Why the recipe cannot run on `here` with so many processes, in a few words, or None when it can.

    A `smoke` run brings its own small data. See `repro.recipes.feasible.obstacle` for `sensibly`. That the parts of
    the recipe fit together has been seen when it was loaded (`repro.recipes.consistency`).
    """
    if processes > 1 and not any(stage.divides for stage in recipe.stages.values()):
        return "its work cannot be divided, so that every process would do all of it; leave out --processes"
    if smoke:
        return None
    return obstacle(recipe, here, sensibly) or indivisible(recipe, processes)


def indivisible(recipe: Recipe, processes: int) -> str | None:
    """Why the batches of the recipe cannot be shared by so many processes, or None when they can."""
    for name, stage in recipe.stages.items():
        if not isinstance(stage, TrainingOptions):
            continue
        try:
            for samples in batches_of(recipe, stage).sizes:
                batch_plan(stage.batch, processes).check(samples)
        except UserError as error:
            return f"stage `{name}`: {str(error).rstrip('.')}"
    return None


def refuse(recipe: Recipe, why: str | None) -> None:
    """Raises UserError when there is a reason why the recipe cannot run."""
    if why:
        raise UserError(f"Recipe `{recipe.id}`: {why}.")
