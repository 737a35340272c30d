"""A part of the rows, in their order."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice
from repro.data.slices.range_options import RangeOptions
from repro.data.table import Table
from repro.errors import UserError


class Range(Slice):
    """The rows from one share of the table to another; ranges that follow one another have no row in common."""

    Options = RangeOptions

    def __call__(self, table: Table, key: int) -> Table:
        o, samples = self.options, len(table)
        index = torch.arange(round(o.start * samples), round(o.stop * samples))
        if not len(index):
            raise UserError(
                f"{table.name}, split {table.split}: no row of {samples} lies from {o.start:g} to {o.stop:g} of "
                "them; use a wider range."
            )
        return table.take(index)
