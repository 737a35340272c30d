"""Which samples form which batch: a keyed permutation per epoch, or what the recipe's sampler says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from torch import Tensor

from repro import components
from repro.data.samplers.base import Sampler
from repro.data.samplers.shuffled import Shuffled
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import key, permutation
from repro.options import Batch, Optimizer, SampledOptions, Schedule, StreamOptions
from repro.options.data import SamplerOptions


class Training(Protocol):
    """The options that training needs of a stage: those of `options.TrainingOptions`, and views."""

    views: Any
    epochs: int | None
    steps: int | None
    batch: Batch
    optimizer: Optimizer
    turns: Sequence[Optimizer] | None
    schedule: Schedule
    data: SampledOptions | None
    streams: Mapping[str, StreamOptions] | None


class Course(Protocol):
    """The batches of a stage by step, from 0 to `total` − 1: functions of the seed and the step alone.

    A batch has some rows; a row is a sample, or a `group` of them.
    """

    @property
    def group(self) -> tuple[int, ...]: ...
    @property
    def total(self) -> int: ...
    @property
    def per_epoch(self) -> int: ...
    @property
    def sizes(self) -> set[int]:
        """The numbers of rows that batches have."""

    @property
    def mean_size(self) -> float:
        """Samples in a batch, the mean over an epoch."""

    def epoch(self, step: int) -> int: ...
    def view_key(self, seed: int, stage: str, step: int) -> int:
        """The key of the draws for a step's views."""

    def __getitem__(self, step: int) -> Tensor:
        """The sample indices (rows, *group) int64 of the batch at `step`."""


@dataclass
class Batches:
    """Shuffled epochs: each sample once in each, `epochs` times, or until there have been `steps`.

    The last batch of an epoch is smaller when the size does not divide, or is dropped with `drop_last`.
    """

    samples: int
    size: int
    epochs: int | None
    drop_last: bool
    seed: int
    steps: int | None = None
    group: tuple[int, ...] = field(default=(), init=False)
    _order: Callable[[int], Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._order = lru_cache(maxsize=2)(self._permutation)  # a loader may be an epoch ahead of the steps
        if self.drop_last and self.size > self.samples:
            raise UserError(f"The batch of {self.size} is larger than the {self.samples} samples there are.")

    @property
    def per_epoch(self) -> int:
        whole = self.samples // self.size
        return whole if self.drop_last else math.ceil(self.samples / self.size)

    @property
    def sizes(self) -> set[int]:
        """The sizes of the batches of an epoch: one, or two when the last is smaller."""
        last = self.samples - (self.per_epoch - 1) * self.size
        return {min(self.size, self.samples), min(self.size, last)}

    @property
    def mean_size(self) -> float:
        """Samples in a batch, the mean over an epoch."""
        return self.size if self.drop_last else self.samples / self.per_epoch

    @property
    def total(self) -> int:
        return self.per_epoch * (self.epochs or 0) if self.steps is None else self.steps

    def epoch(self, step: int) -> int:
        return step // self.per_epoch

    def view_key(self, seed: int, stage: str, step: int) -> int:
        """One for all steps of an epoch, in which a sample comes once."""
        return key(seed, stage, "views", self.epoch(step))

    def __getitem__(self, step: int) -> Tensor:
        """The sample indices (n,) int64 of the batch at `step`."""
        epoch, position = divmod(step, self.per_epoch)
        return self._order(epoch)[position * self.size : (position + 1) * self.size]

    def _permutation(self, epoch: int) -> Tensor:
        """The order (samples,) int64 of an epoch."""
        return permutation(key(self.seed, "order", epoch), self.samples)


@dataclass
class Sampled:
    """What a sampler of the recipe gives, of a set of `samples`; `size` rows a step."""

    sampler: Sampler
    size: int
    total: int

    @property
    def group(self) -> tuple[int, ...]:
        return self.sampler.group

    @property
    def per_epoch(self) -> int:
        return self.sampler.per_epoch

    @property
    def sizes(self) -> set[int]:
        return {self.size}

    @property
    def mean_size(self) -> float:
        return self.size * math.prod(self.group)

    def epoch(self, step: int) -> int:
        return step // self.per_epoch

    def view_key(self, seed: int, stage: str, step: int) -> int:
        return key(seed, stage, "views", "step", step)

    def __getitem__(self, step: int) -> Tensor:
        return self.sampler.index(step)


def course(table: Table, o: Training, seed: int) -> Course:
    """The batches of a stage that trains on `table`."""
    if o.data is None or o.data.sampler is None:
        return Batches(len(table), o.batch.size, o.epochs, o.batch.drop_last, seed, o.steps)
    sampler = sampler_of(o.data.sampler, table, o.batch.size, seed)
    return Sampled(sampler, o.batch.size, o.steps or (o.epochs or 0) * sampler.per_epoch)


def sampler_of(options: SamplerOptions | None, table: Table, rows: int, seed: int) -> Sampler:
    """What draws batches of so many rows: shuffled epochs, one after the other, if nothing else is said."""
    kind = Shuffled if options is None else components.load(("data.samplers",), options.name)
    made: Sampler = kind(options, table, rows, key(seed, "sampler"))
    return made
