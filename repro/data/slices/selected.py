"""Rows that an earlier stage chose."""

from __future__ import annotations

from typing import Any

import torch

from repro.data.slices.base import Slice
from repro.data.slices.selected_options import SelectedOptions
from repro.data.table import Table


class Selected(Slice):
    """The rows that an earlier stage chose."""

    Options = SelectedOptions

    def __call__(self, table: Table, key: int, left: Any = None) -> Table:
        index = left(self.options.of, "index", table).tensors["index"]
        if self.options.without:
            every = torch.arange(len(table))
            index = every[~torch.isin(every, index)]
        return table.take(index)
