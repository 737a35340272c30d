"""Batches in the order of the table."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.sequential_options import SequentialOptions


class Sequential(Sampler):
    """The samples one after the other; after the last comes the first, also within a batch."""

    Options = SequentialOptions

    @property
    def per_epoch(self) -> int:  # type: ignore[override]
        return max(1, len(self.table) // self.rows)

    def index(self, step: int) -> Tensor:
        return torch.arange(step * self.rows, (step + 1) * self.rows) % len(self.table)
