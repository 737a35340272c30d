"""A validation split and the rest."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice
from repro.data.slices.held_out_options import HeldOutOptions
from repro.data.table import Table
from repro.keys import permutation


class HeldOut(Slice):
    """Holds rows out, as for a validation split: the two sides have no row in common, and all together."""

    Options = HeldOutOptions

    def __call__(self, table: Table, key: int) -> Table:
        o, samples = self.options, len(table)
        order = permutation(key, samples) if o.keyed else torch.arange(samples).flip(0)
        held = round(o.share * samples)
        return table.take((order[:held] if o.side == "held" else order[held:]).sort().values)
