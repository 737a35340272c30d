"""What a run is about to do, for people to read before it starts."""

from __future__ import annotations

from repro.engine import memory
from repro.engine.batches import Batches
from repro.engine.memory import Place
from repro.engine.plan import batch_plan
from repro.engine.sizes import batches_of
from repro.options import TrainingOptions
from repro.recipes.schema import Recipe

GB = 2**30


def describe(recipe: Recipe, place: Place, micro_batch: int | None = None, limit: float | None = None) -> str:
    """The plan of a whole recipe, a line per stage.

    With `limit`, the bytes that a process may take, it says how many it will take, and where no micro-batch is given
    it is the one that a run with this limit chooses.
    """
    lines = [f"{recipe.id} on {place.device}, {place.precision}: {recipe.title}"]
    for name, stage in recipe.stages.items():
        lines.append(f"  {name}: {stage.kind}")
        if isinstance(stage, TrainingOptions):
            chosen = micro_batch or memory.micro_batch(recipe, name, place, limit)
            plan = batch_plan(stage.batch, place.processes, chosen)
            batches = batches_of(recipe, stage)
            lines[-1] += f", {plan.describe()}, {length(stage, batches)}"
            lines += [
                f"    deviation: {d.what}: {d.paper} → {d.here}" for d in plan.deviations(batches.sizes)
            ]
            if limit and memory.rehearsed(stage):
                lines.append(f"    memory: {_memory(memory.predicted(recipe, name, place, chosen), limit)}")
    return "\n".join(lines)


def _memory(needed: float, limit: float) -> str:
    """`3.1 GB a process, of 16.0 that it may take`, and what to do when it is more."""
    text = f"{needed / GB:.1f} GB a process, of {limit / GB:.1f} that it may take"
    return text if needed <= limit else f"{text}: too much; use a smaller --micro-batch or another machine"


def length(stage: TrainingOptions, batches: Batches) -> str:
    """`390 steps × 200 epochs`, or `10000 steps`."""
    return f"{stage.steps} steps" if stage.steps else f"{batches.per_epoch} steps × {batches.epochs} epochs"
