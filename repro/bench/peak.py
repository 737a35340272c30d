"""One case of the benchmark of memory, which starts it in a process of its own.

Usage: `python -m repro.bench.peak RECIPE STAGE PRECISION DEVICE MICRO_BATCH [OVERRIDE]…`, MICRO_BATCH 0 for none.
Prints, as JSON, the predicted and the true peak of the process, and `repro.engine.rehearse.Peak`, in bytes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from repro.data.declare import declaration
from repro.data.images import ImageSet, image_set
from repro.engine import checkpoint, memory, rehearse
from repro.engine.budget import Stopped
from repro.engine.finish import finish
from repro.engine.setup import set_up
from repro.engine.stage import Context
from repro.recipes.load import load
from repro.recipes.schema import Recipe

FEW = 2000  # images of a set whose images would stay in files


class Short(Context):
    """A context whose time is over when there have been three steps or four."""

    began = 0.0

    def log(self, **values: Any) -> None:
        if self.deadline.end == float("inf"):  # the first step is done
            now = time.monotonic()
            self.deadline.end = now + 3.5 * (now - self.began)


def noise(dataset: str, split: str) -> ImageSet:
    """Random images in the number and size of the data set's."""
    declared = declaration(dataset)
    n = FEW if declared.varied else declared.splits[split]
    images = torch.randint(0, 256, (n, *declared.shape), dtype=torch.uint8)
    classes = declared.classes_in(split)
    labels = torch.arange(n) % classes
    facts: dict[str, Any] = {"name": dataset, "split": split, "classes": classes}
    return image_set(images, labels, mean=declared.mean, std=declared.std, **facts)


def true_peak(device: str) -> int:
    """The high-water mark of this process's resident set, or of torch's allocator on a GPU, in bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if not status.exists():
        raise SystemExit("The peak of a process is known on Linux only.")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def run(recipe: Recipe, stage: str, precision: str, device: str, micro_batch: int | None) -> dict[str, float]:
    """Predicts, and trains a few steps of a stage."""
    setup = set_up(device, precision)
    case = (recipe, stage, memory.place(setup), micro_batch)
    predicted, tensors = memory.predicted(*case), memory.peak_of(*case)
    data = {name: noise(str(recipe.dataset), name) for name in memory.loaded_by(recipe, stage)}
    if declaration(str(recipe.dataset)).varied:
        predicted += memory.images(
            recipe, stage, setup.device.type, {name: len(d) for name, d in data.items()}
        )
    with tempfile.TemporaryDirectory() as folder, suppress(Stopped):
        earlier(recipe, stage, Path(folder))
        ctx = Short(recipe, stage, 0, setup, Path(folder) / stage, data.__getitem__, micro_batch=micro_batch)
        ctx.checkpoint_every, ctx.began = 0.0, time.monotonic()
        finish(ctx, recipe.stages[stage])
    return {"predicted": predicted, "measured": true_peak(device), **tensors._asdict()}


def earlier(recipe: Recipe, stage: str, folder: Path) -> None:
    """Leaves an untrained network where the stage looks for that of the stage that it builds on."""
    options = memory.base(recipe, stage)
    if options is not None:
        made = rehearse.method(options, recipe.stages, str(recipe.dataset))
        path = folder / recipe.stages[stage].of / "output.safetensors"  # type: ignore[attr-defined]
        path.parent.mkdir()
        checkpoint.save(path, made.state_dict(), {})


def main() -> None:
    name, stage, precision, device, micro_batch, *overrides = sys.argv[1:]
    print(json.dumps(run(load(name, overrides), stage, precision, device, int(micro_batch) or None)))


if __name__ == "__main__":
    main()
