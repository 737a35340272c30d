"""The first rows."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice
from repro.data.slices.head_options import HeadOptions
from repro.data.table import Table
from repro.keys import permutation


class Head(Slice):
    """The first rows, all of them where there are fewer; fewer are among more."""

    Options = HeadOptions

    def __call__(self, table: Table, key: int) -> Table:
        order = permutation(key, len(table)) if self.options.shuffled else torch.arange(len(table))
        return table.take(order[: self.options.count].sort().values)
