"""What a run is about to do, for people to read before it starts."""

from __future__ import annotations

from typing import Any

from repro.data.declare import declaration
from repro.engine.batches import Batches
from repro.engine.plan import batch_plan
from repro.recipes.schema import Recipe


def describe(recipe: Recipe, where: str, processes: int, micro_batch: int | None) -> str:
    """The plan of a whole recipe, a line per stage."""
    lines = [f"{recipe.id} on {where}: {recipe.title}"]
    for name, stage in recipe.stages.items():
        line = f"  {name}: {stage.kind}"
        if hasattr(stage, "batch"):
            plan = batch_plan(stage.batch, processes, micro_batch)
            batches = _batches(recipe, stage)
            line += f", {plan.describe()}, {batches.per_epoch} steps × {batches.epochs} epochs"
        lines.append(line)
    return "\n".join(lines)


def _batches(recipe: Recipe, stage: Any) -> Batches:
    samples = declaration(str(recipe.dataset)).splits[getattr(stage, "split", "train")]
    return Batches(samples, stage.batch.size, stage.epochs, stage.batch.drop_last, seed=0)
