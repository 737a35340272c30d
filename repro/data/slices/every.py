"""Rows at even distances."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice
from repro.data.slices.every_options import EveryOptions
from repro.data.table import Table


class Every(Slice):
    """Every n-th row: of a stream of tokens, windows that do not overlap."""

    Options = EveryOptions

    def __call__(self, table: Table, key: int) -> Table:
        return table.take(torch.arange(0, len(table), self.options.stride))
