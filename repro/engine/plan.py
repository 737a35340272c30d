"""What a run is about to do, in figures: batches, steps, device, precision."""

from __future__ import annotations

from typing import Any

from repro.data.declare import declaration
from repro.engine.batches import Batches
from repro.engine.setup import Setup
from repro.recipes.schema import Recipe


def plan(recipe: Recipe, setup: Setup) -> dict[str, Any]:
    """The batch plan of each stage that has batches, as it goes into the record."""
    return {
        name: _stage(recipe, stage, setup) for name, stage in recipe.stages.items() if hasattr(stage, "batch")
    }


def describe(recipe: Recipe, setup: Setup) -> str:
    """The plan for people, a line per stage."""
    where = f"{setup.device.type}, {setup.precision}"
    lines = [f"{recipe.id} on {where}: {recipe.title}"]
    plans = plan(recipe, setup)
    for name, stage in recipe.stages.items():
        p = plans.get(name)
        text = f"  {name}: {stage.kind}"
        if p:
            text += (
                f", batch {p['batch']} = {p['processes']} process × {p['micro_batch']}"
                f", {p['steps_per_epoch']} steps × {p['epochs']} epochs"
            )
        lines.append(text)
    return "\n".join(lines)


def _stage(recipe: Recipe, stage: Any, setup: Setup) -> dict[str, Any]:
    samples = declaration(recipe.dataset).splits[getattr(stage, "split", "train")] if recipe.dataset else 0
    batches = Batches(samples, stage.batch.size, stage.epochs, stage.batch.drop_last, seed=0)
    return {
        "batch": stage.batch.size,
        "bn_span": stage.batch.bn_span or stage.batch.size,
        "processes": setup.accelerator.num_processes,
        "micro_batch": stage.batch.size,
        "steps_per_epoch": batches.per_epoch,
        "epochs": stage.epochs,
    }
