"""What a way to draw batches is."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from repro.data.table import Table
from repro.options.data import SamplerOptions


class Sampler:
    """Maps a step to the samples of a batch, from the key and the step alone.

    A batch has `rows` rows, each of which is a `group` of samples; () is a single one. `per_epoch` is the number of
    steps that go about once through the set. Raises UserError when the table cannot fill such batches.
    """

    Options: ClassVar[type[SamplerOptions]] = SamplerOptions

    per_epoch: int = 1

    def __init__(self, options: Any, table: Table, rows: int, key: int):
        self.options, self.table, self.rows, self.key = options, table, rows, key

    @property
    def group(self) -> tuple[int, ...]:
        found: tuple[int, ...] = self.options.group if self.options else ()
        return found

    def index(self, step: int) -> Tensor:
        """(rows, *group) int64, on the CPU."""
        raise NotImplementedError

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """The options for a smoke run, which has a few samples only."""
        return options
