"""What a run is about to do, for people to read before it starts."""

from __future__ import annotations

from typing import Any

from repro.data.declare import declaration
from repro.engine.batches import Batches
from repro.engine.memory import micro_batch as fitting_micro_batch
from repro.engine.memory import needs
from repro.engine.plan import batch_plan
from repro.options import Batch
from repro.recipes.schema import Recipe


def describe(
    recipe: Recipe, where: str, processes: int, micro_batch: int | None, memory: float | None = None
) -> str:
    """The plan of a whole recipe, a line per stage; with `memory` bytes a process, the micro-batch follows."""
    lines = [f"{recipe.id} on {where}: {recipe.title}"]
    for name, stage in recipe.stages.items():
        line = f"  {name}: {stage.kind}"
        batch = getattr(stage, "batch", None)
        if isinstance(batch, Batch):
            plan = batch_plan(batch, processes, micro_batch)
            if memory and hasattr(stage, "method"):
                fitting = fitting_micro_batch(plan, *_needs(recipe, stage), memory)
                plan = batch_plan(batch, processes, micro_batch or fitting)
            batches = batches_of(recipe, stage)
            line += f", {plan.describe()}, {batches.per_epoch} steps × {batches.epochs} epochs"
            lines += [
                line,
                *(f"    deviation: {d.what}: {d.paper} → {d.here}" for d in plan.deviations(batches.sizes)),
            ]
        else:
            lines.append(line)
    return "\n".join(lines)


def _needs(recipe: Recipe, stage: Any) -> tuple[int, int]:
    declared = declaration(str(recipe.dataset))
    return needs(stage, declared.shape, declared.classes_in(stage.split))


def batches_of(recipe: Recipe, stage: Any) -> Batches:
    samples = declaration(str(recipe.dataset)).splits[getattr(stage, "split", "train")]
    samples = round(getattr(stage, "fraction", 1) * samples)
    return Batches(samples, stage.batch.size, stage.epochs, stage.batch.drop_last, seed=0)
