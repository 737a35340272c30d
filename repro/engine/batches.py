"""Which samples form which batch: a keyed permutation per epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from torch import Tensor

from repro.engine.keys import key, permutation
from repro.errors import UserError


@dataclass
class Batches:
    """The batches of a stage by step, from 0 to `total` − 1, over `samples` samples and `epochs` epochs.

    A function of the seed and the step alone, so it is the same after a restart. The last batch of an epoch
    is smaller when the size does not divide, or is dropped with `drop_last`.
    """

    samples: int
    size: int
    epochs: int
    drop_last: bool
    seed: int
    _order: Callable[[int], Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._order = lru_cache(maxsize=2)(self._permutation)  # a feed may be an epoch ahead of the steps
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
        return self.per_epoch * self.epochs

    def epoch(self, step: int) -> int:
        return step // self.per_epoch

    def __getitem__(self, step: int) -> Tensor:
        """The sample indices (n,) int64 of the batch at `step`."""
        epoch, position = divmod(step, self.per_epoch)
        return self._order(epoch)[position * self.size : (position + 1) * self.size]

    def _permutation(self, epoch: int) -> Tensor:
        """The order (samples,) int64 of an epoch."""
        return permutation(key(self.seed, "order", epoch), self.samples)
