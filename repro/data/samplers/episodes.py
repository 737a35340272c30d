"""Episodes of few-shot learning."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.samplers.by_class import ByClass
from repro.data.samplers.episodes_options import EpisodesOptions
from repro.data.table import Table


class Episodes(Sampler):
    """A row is an episode (way, shots + queries): some classes, and of each some samples, the support ones first.

    Classes and samples are drawn without replacement, Vinyals et al. 2016 (arXiv 1606.04080), section 4.1.
    """

    Options = EpisodesOptions

    def __init__(self, options: EpisodesOptions, table: Table, rows: int, key: int):
        super().__init__(options, table, rows, key)
        each = options.shots + options.queries
        self.classes = ByClass(table, each)
        self.classes.need(options.way)
        self.per_epoch = max(1, len(table) // (rows * options.way * each))

    def index(self, step: int) -> Tensor:
        return self.classes.drawn(self.key, step, self.rows, *self.group)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"way": min(options.way, 3), "shots": 1, "queries": 1})
