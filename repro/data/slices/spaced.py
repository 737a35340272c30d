"""Rows at equal distances."""

from __future__ import annotations

from typing import Any

import torch

from repro.data.slices.spaced_options import SpacedOptions
from repro.data.table import Table


class Spaced:
    """The first row, and every `step`-th one after it, as long as a whole step follows."""

    Options = SpacedOptions

    def __init__(self, options: Any):
        self.options = options

    def __call__(self, table: Table, key: int) -> Table:
        step = self.options.step
        return table.take(torch.arange(max(len(table) // step, 1)) * step)
