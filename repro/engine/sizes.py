"""How much a stage trains on, as far as that is known before its data is read."""

from __future__ import annotations

from repro.data.declare import declaration
from repro.engine.batches import Batches
from repro.options import SampledOptions, TrainingOptions
from repro.recipes.schema import Recipe


def batches_of(recipe: Recipe, stage: TrainingOptions) -> Batches:
    """The batches of a stage that trains, as far as they are known before its data is read."""
    samples, size = rows_in(stage, str(recipe.dataset)), stage.batch.size
    if (
        stage.data and stage.data.sampler
    ):  # its rows are groups of samples, and there is always another batch of them
        samples = max(size, samples // size * size)
    return Batches(samples, size, stage.epochs, stage.batch.drop_last, 0, stage.steps)


def rows_in(stage: TrainingOptions, dataset: str) -> int:
    """How many samples the stage trains on, as far as that is known before its data is read."""
    data = stage.data or SampledOptions()
    declared = declaration(data.set or dataset)
    split = str(data.split or getattr(stage, "split", "train"))
    samples = round(getattr(stage, "fraction", 1) * declared.splits[split])
    for one in data.slice:
        samples = one.rows(samples, declared.classes_in(split))
    return samples
