"""Shuffled epochs whose batches are all full."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.shuffled_options import ShuffledOptions
from repro.keys import key as key_of
from repro.keys import permutation


class Shuffled(Sampler):
    """Each sample once in each epoch; an epoch follows the last without regard to where a batch ends."""

    Options = ShuffledOptions

    @property
    def per_epoch(self) -> int:  # type: ignore[override]
        return max(1, len(self.table) // self.rows)

    def index(self, step: int) -> Tensor:
        samples = len(self.table)
        places = torch.arange(step * self.rows, (step + 1) * self.rows)
        epochs, places = places // samples, places % samples
        first = int(epochs[0])
        orders = [
            permutation(key_of(self.key, "order", e), samples) for e in range(first, int(epochs[-1]) + 1)
        ]
        return torch.stack(orders)[epochs - first, places]
