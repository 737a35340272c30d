"""Samples with a partner, as for mixup."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.pairs_options import PairsOptions
from repro.data.samplers.shuffled import Shuffled
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import key as key_of
from repro.keys import uniform


class Pairs(Sampler):
    """A row is a sample, in shuffled epochs, and a partner drawn from the whole set with replacement (2,)."""

    Options = PairsOptions

    def __init__(self, options: PairsOptions, table: Table, rows: int, key: int):
        super().__init__(options, table, rows, key)
        self.first = Shuffled(None, table, rows, key)
        self.per_epoch = self.first.per_epoch
        if options.partner != "any" and (table.labels < 0).any():
            raise UserError(
                f"{table.name}, split {table.split}: pairs by class need a label for every sample."
            )
        self.members = table.labels.argsort(stable=True)
        self.counts = table.labels.clamp(min=0).bincount()
        self.starts = self.counts.cumsum(0) - self.counts
        if options.partner == "other" and int((self.counts > 0).sum()) < 2:
            raise UserError(f"{table.name}, split {table.split}: all samples are of one class.")

    def index(self, step: int) -> Tensor:
        first = self.first.index(step)
        at = torch.arange(len(first)) + step * self.rows
        draw = uniform(key_of(self.key, "partner"), at, 1)[:, 0].double()
        samples, label = len(self.table), self.table.labels[first]
        if self.options.partner == "any":
            second = (draw * samples).long()
        elif self.options.partner == "same":
            second = self.members[self.starts[label] + (draw * self.counts[label]).long()]
        else:
            place = (draw * (samples - self.counts[label])).long()
            second = self.members[place + self.counts[label] * (place >= self.starts[label])]
        return torch.stack([first, second], 1)
