"""Classes that get rarer and rarer."""

from __future__ import annotations

import torch

from repro.data.slices.base import Slice, first_of_each, labels_of
from repro.data.slices.long_tail_options import LongTailOptions
from repro.data.table import Table


class LongTail(Slice):
    """Class c of C keeps n · ratio^(−c / (C − 1)) of its n samples, rounded down, one at least.

    The exponential profile of Cui et al. 2019 (arXiv 1901.05555) and Cao et al. 2019 (arXiv 1906.07413), section 4.1.
    """

    Options = LongTailOptions

    def __call__(self, table: Table, key: int) -> Table:
        labels = labels_of(table, "long_tail")
        classes = max(2, table.classes)
        counts = labels.bincount(minlength=table.classes)
        profile = float(self.options.ratio) ** (
            -torch.arange(len(counts), dtype=torch.float64) / (classes - 1)
        )
        kept = (counts * profile + 1e-9).long().clamp(min=1).minimum(counts)
        return table.take(first_of_each(labels, kept, key))
