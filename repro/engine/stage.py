"""What a stage is, and what it works with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from repro import components
from repro.data.table import Table
from repro.engine.artifacts import left
from repro.engine.budget import Deadline
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.keys import key
from repro.options import DataOptions, Options, StageOptions, references
from repro.options.data import SamplerOptions, SliceOptions
from repro.recipes.schema import Deviation, Recipe


@dataclass
class Context:
    """The surroundings of one stage of one run.

    `folder` is the stage's own; `load(split)` gives the recipe's data set, `load(split, set)` another; `deviations`
    collects differences from the recipe that were met on the way, `fingerprints` what data was used, `pictures` what
    was drawn.
    """

    recipe: Recipe
    stage: str
    seed: int
    setup: Setup
    folder: Path
    load: Callable[..., Table]
    deadline: Deadline = field(default_factory=Deadline)
    deviations: list[Deviation] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    fingerprints: dict[str, Any] = field(default_factory=dict)
    micro_batch: int | None = None
    checkpoint_every: float = 60.0
    progress_every: float = 0.0
    say: Callable[[str], None] = print

    @property
    def device(self) -> torch.device:
        return self.setup.device

    def data(self, split: str, set: str | None = None) -> Any:
        """A split of the recipe's data set, or of another; the stage's record will say which data it was."""
        data = self.load(split, set) if set else self.load(split)
        self.note(data.deviations)
        if data.fingerprint:
            self.fingerprints[f"{set}/{split}" if set else split] = data.fingerprint._asdict()
        return data

    def table(self, options: DataOptions | None, split: str) -> Any:
        """What the options say of a data set, and else the whole of `split`.

        Slices draw with the run's seed, but not the stage's name, so that all stages mean the same rows. Those whose
        options name stages are given `left(stage, what, table)`, see `repro.engine.artifacts`.
        """
        o = options or DataOptions()
        data = self.data(o.split or split, o.set)
        for place, one in enumerate(o.slice):
            cut = components.load(("data.slices",), one.name)(one)
            of_stages = {"left": partial(left, self)} if any(references(one)) else {}
            data = cut(data, key(self.seed, "slice", place, one.name), **of_stages)
        return data

    def note(self, deviations: Iterable[Deviation]) -> None:
        """Adds deviations that are not yet known."""
        self.deviations += [d for d in deviations if d not in self.deviations]

    def of(self, stage: str) -> Path:
        """The folder of another stage of the same run."""
        return self.folder.parent / stage

    def picture(self, name: str) -> Path:
        """Where to write a picture, a .png or .svg, that is kept beside the record and shown in the report."""
        self.pictures.append(f"{self.stage}/{name}")
        return self.folder / name

    def log(self, **values: Any) -> None:
        """Appends one line to the run's JSON-lines log (the main process does)."""
        if not self.setup.main:
            return
        with (self.folder.parent / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


@dataclass
class Outcome:
    """What a stage leaves: metrics for the verdicts, a curve, and facts such as samples per second."""

    metrics: dict[str, float]
    curve: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


class Stage:
    """One step of a recipe. A subclass declares `Options` and does its work in `run`."""

    Options: ClassVar[type[StageOptions]] = StageOptions

    def __init__(self, options: Any):
        self.options = options

    def run(self, ctx: Context) -> Outcome:
        """Does the work, resuming what an earlier call left in `ctx.folder`."""
        raise NotImplementedError

    def computes_in(self, setup: Setup) -> str:
        """The precision for the record: what ran, not what was asked for."""
        own = self.options.precision
        return setup.precision if own is None or (own, setup.precision) == ("fp32", "tf32") else own

    @classmethod
    def method(cls, options: Any, stages: Any, shape: tuple[int, ...], classes: int) -> Method:
        """What a stage with TrainingOptions trains, with fresh weights, for samples of this shape.

        `stages` are the options of the recipe's stages by name, for one that builds on others.
        """
        raise NotImplementedError

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """The options shrunk so that the stage runs in a second or so and still goes through every part."""
        return options


def fewer_rows(value: Any) -> Any:
    """Options, or values in them, with all slices and samplers as they are for the few samples of a smoke run."""
    if isinstance(value, SliceOptions):
        return components.load(("data.slices",), value.name).smoke(value)
    if isinstance(value, SamplerOptions):
        return components.load(("data.samplers",), value.name).smoke(value)
    if isinstance(value, Options):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return value.model_copy(update={name: fewer_rows(field) for name, field in fields.items()})
    if isinstance(value, tuple):
        return tuple(map(fewer_rows, value))
    return {name: fewer_rows(one) for name, one in value.items()} if isinstance(value, dict) else value


def tiny(options: Any) -> Any:
    """The options of a training stage shrunk to one epoch of small batches of small views."""
    most = 4 if options.data and options.data.sampler else 8  # rows may be classes, of which there are four
    batch = options.batch.model_copy(update={"size": min(options.batch.size, most), "bn_span": None})
    schedule = options.schedule.model_copy(update={"warmup_epochs": 0, "warmup": None})
    length = {"epochs": 1} if options.steps is None else {"steps": 2}
    views = capped(options.views, 48)
    return options.model_copy(update={**length, "batch": batch, "schedule": schedule, "views": views})


def capped(value: Any, most: int) -> Any:
    """Options, or values in them, with every whole number above `most` set to it: the same wiring, but smaller.

    What options call `fixed`, because it belongs to the data, stays.
    """
    if isinstance(value, Options):
        fixed = getattr(value, "fixed", ())
        fields = {name: getattr(value, name) for name in type(value).model_fields if name not in fixed}
        return value.model_copy(update={name: capped(field, most) for name, field in fields.items()})
    if isinstance(value, tuple):
        return tuple(capped(one, most) for one in value)
    return min(value, most) if isinstance(value, int) and not isinstance(value, bool) else value
