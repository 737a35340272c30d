"""Rows at equal distances."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice
from repro.data.slices.spaced_options import SpacedOptions
from repro.data.table import Table


class Spaced(Slice):
    """The first row, and every `step`-th one after it, as long as a whole step follows."""

    Options = SpacedOptions

    def __call__(self, table: Table, key: int) -> Table:
        step = self.options.step
        return table.take(torch.arange(max(len(table) // step, 1)) * step)
