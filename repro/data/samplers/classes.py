"""Batches of P classes with K samples of each."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.by_class import ByClass
from repro.data.samplers.classes_options import ClassesOptions
from repro.data.table import Table


class Classes(Sampler):
    """A row is K samples of one class, and the rows of a batch (P of them) have different classes.

    Classes with fewer than K samples are left out. Hermans et al. 2017 (arXiv 1703.07737), section 2.
    """

    Options = ClassesOptions

    def __init__(self, options: ClassesOptions, table: Table, rows: int, key: int):
        super().__init__(options, table, rows, key)
        self.classes = ByClass(table, options.each)
        self.classes.need(rows)
        self.per_epoch = max(1, len(table) // (rows * options.each))

    def index(self, step: int) -> Tensor:
        return self.classes.drawn(self.key, step, 1, self.rows, self.options.each)[0]

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"each": min(options.each, 2)})
