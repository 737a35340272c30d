"""What a measure is, and what it measures on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor

from repro.data.table import Table
from repro.options.data import MeasureOptions


class Measured:
    """A table, and what a trained network makes of its samples, computed when it is asked for.

    `extract(field)` gives the network's output for a field of the table, or with None for the one that it takes;
    `losses()` the means of the training objective over the table.
    """

    def __init__(
        self, table: Table, extract: Callable[[str | None], Tensor], losses: Callable[[], dict[str, float]]
    ):
        self.table, self.losses, self._extract = table, losses, extract

    @cached_property
    def features(self) -> Tensor:
        """(n, …) float32 on the run's device: features, or logits, as the stage has it."""
        return self._extract(None)

    def of(self, field: str) -> Tensor:
        """(n, …): the same of another field of the table, as the second sentence of a pair."""
        return self._extract(field)


class Measure:
    """Measures on one or more splits (`MeasureOptions.splits`), of which the last is the evaluated one."""

    Options: ClassVar[type[MeasureOptions]] = MeasureOptions

    def __init__(self, options: Any):
        self.options = options

    def __call__(self, *sets: Measured) -> dict[str, float]:
        """What the options say that it gives (`metrics`)."""
        raise NotImplementedError

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """The options for a smoke run, which has a few samples only."""
        return options
