"""Labels that an earlier stage gave."""

from __future__ import annotations

from typing import Any

from repro.data.slices.base import Slice
from repro.data.slices.relabelled_options import RelabelledOptions
from repro.data.table import Table


class Relabelled(Slice):
    """The rows to which an earlier stage gave a label, with that."""

    Options = RelabelledOptions

    def __call__(self, table: Table, key: int, left: Any = None) -> Table:
        found = left(self.options.of, "labels", table).tensors
        labels = table.labels.clone()
        labels[found["index"]] = found["label"]
        changed = table.having(label=labels)
        return changed if self.options.keep else changed.take(found["index"])
