"""The samples of a set by their class, and keyed draws of some of each."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.table import Table
from repro.errors import UserError
from repro.keys import key as key_of
from repro.keys import uniform


class ByClass:
    """The classes that have at least `each` labelled samples; smaller ones are left out."""

    def __init__(self, table: Table, each: int):
        self.each, self.name = each, f"{table.name}, split {table.split}"
        labels = table.labels
        known = (labels >= 0).nonzero()[:, 0]
        self.members = known[labels[known].argsort(stable=True)]
        counts = labels[known].bincount()
        starts = counts.cumsum(0) - counts
        enough = counts >= each
        self.starts, self.counts = starts[enough], counts[enough]

    def need(self, classes: int) -> None:
        """Raises UserError when there are fewer."""
        if len(self.counts) < classes:
            raise UserError(
                f"{self.name}: {len(self.counts)} classes have {self.each} samples or more, and a batch needs "
                f"{classes} such classes; ask for fewer classes, or fewer samples of each."
            )

    def drawn(self, key: int, step: int, rows: int, classes: int, each: int) -> Tensor:
        """(rows, classes, each) int64: for each row other classes, of each other samples, without replacement."""
        at = torch.arange(rows) + step * rows
        chosen = uniform(key_of(key, "classes"), at, len(self.counts)).argsort(dim=1, stable=True)[
            :, :classes
        ]
        counts, starts = self.counts[chosen], self.starts[chosen]  # (rows, classes)
        most = int(self.counts.max())
        lanes = (at[:, None] * classes + torch.arange(classes)).flatten()
        order = uniform(key_of(key, "samples"), lanes, most).view(rows, classes, most)
        order = order.masked_fill(
            torch.arange(most) >= counts[..., None], 2.0
        )  # beyond a class's last sample
        places = order.argsort(dim=2, stable=True)[..., :each]
        return self.members[starts[..., None] + places]
