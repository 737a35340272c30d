"""Few labels of each class."""

from __future__ import annotations

from typing import Any

import torch

from repro.data.slices.base import Slice, first_of_each, labels_of
from repro.data.slices.per_class_options import PerClassOptions
from repro.data.table import Table
from repro.errors import UserError


class PerClass(Slice):
    """The first samples of each class in a keyed order: the four of a class are among its twenty-five."""

    Options = PerClassOptions

    def __call__(self, table: Table, key: int) -> Table:
        labels, count = labels_of(table, "per_class"), self.options.count
        there = labels.bincount()
        if there.min() < count:
            raise UserError(
                f"{table.name}, split {table.split}: class {int(there.argmin())} has {int(there.min())} samples, and "
                f"the slice `per_class` asks for {count}."
            )
        index = first_of_each(labels, torch.full_like(there, count), key)
        if not self.options.keep:
            return table.take(index)
        known = torch.full_like(labels, -1)
        known[index] = labels[index]
        return table.having(label=known)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"count": min(options.count, 2)})
