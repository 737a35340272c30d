"""Shuffled epochs whose batches are all full."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.shuffled_options import ShuffledOptions
from repro.data.table import Table
from repro.keys import key as key_of
from repro.keys import permutation


class Shuffled(Sampler):
    """Each sample once in each epoch; an epoch follows the last without regard to where a batch ends."""

    Options = ShuffledOptions

    def __init__(self, options: Any, table: Table, rows: int, key: int):
        super().__init__(options, table, rows, key)
        self._order = lru_cache(maxsize=2)(
            self._permutation
        )  # of a million samples it takes a quarter of a second

    @property
    def per_epoch(self) -> int:  # type: ignore[override]
        return max(1, len(self.table) // self.rows)

    def index(self, step: int) -> Tensor:
        samples = len(self.table)
        places = torch.arange(step * self.rows, (step + 1) * self.rows)
        epochs, places = places // samples, places % samples
        first = int(epochs[0])
        orders = [self._order(epoch) for epoch in range(first, int(epochs[-1]) + 1)]
        return torch.stack(orders)[epochs - first, places]

    def _permutation(self, epoch: int) -> Tensor:
        """The order (samples,) int64 of an epoch."""
        return permutation(key_of(self.key, "order", epoch), len(self.table))
