"""Batches in which all classes are equally likely."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.samplers.balanced_options import BalancedOptions
from repro.data.samplers.base import Sampler
from repro.data.samplers.by_class import ByClass
from repro.data.table import Table
from repro.keys import key as key_of
from repro.keys import uniform


class Balanced(Sampler):
    """A class, and one of its samples, drawn uniformly and with replacement for each row."""

    Options = BalancedOptions

    def __init__(self, options: BalancedOptions, table: Table, rows: int, key: int):
        super().__init__(options, table, rows, key)
        self.classes = ByClass(table, 1)
        self.classes.need(1)
        self.per_epoch = max(1, len(table) // rows)

    def index(self, step: int) -> Tensor:
        at = torch.arange(self.rows) + step * self.rows
        which, place = uniform(key_of(self.key, "row"), at, 2).double().unbind(1)
        chosen = (which * len(self.classes.counts)).long()
        places = (place * self.classes.counts[chosen]).long()
        return self.classes.members[self.classes.starts[chosen] + places]
