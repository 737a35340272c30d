"""A share of each class."""

from __future__ import annotations

from repro.data.slices.base import Slice, balanced, labels_of
from repro.data.slices.fraction_options import FractionOptions
from repro.data.table import Table


class Fraction(Slice):
    """The first share of each class in a keyed order, so that a smaller one is a part of a larger one."""

    Options = FractionOptions

    def __call__(self, table: Table, key: int) -> Table:
        return table.take(balanced(labels_of(table, "fraction"), self.options.share, key))
