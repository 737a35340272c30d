"""What a measure is, and what it measures on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from repro.data.table import Table
from repro.errors import UserError, suggestion
from repro.options.data import MeasureOptions


class Measured:
    """A table, and what a trained network makes of its samples, computed when it is asked for.

    `extract(field)` gives the network's output for a field of the table, or with None for the one that it takes;
    `losses()` the means of the training objective over the table. `key` is that of the measure's draws, the same in
    all stages of a run, so that they are measured on the same episodes, for example.
    """

    def __init__(
        self,
        table: Table,
        extract: Callable[[str | None], Tensor],
        losses: Callable[[], dict[str, float]],
        key: int = 0,
    ):
        self.table, self.losses, self.key, self._extract = table, losses, key, extract

    @property
    def named(self) -> str:
        """The set and split, to begin a sentence with."""
        return f"{self.table.name}, split {self.table.split}"

    @cached_property
    def features(self) -> Tensor:
        """(n, …) float32 on the run's device: features, or logits, as the stage has it."""
        return self._extract(None)

    def of(self, field: str) -> Tensor:
        """(n, …): the same of another field of the table, as the second sentence of a pair."""
        self._there(field)
        return self._extract(field)

    @property
    def vectors(self) -> Tensor:
        """(n, d): the features of a sample in a row."""
        return self.features.flatten(1)

    @property
    def logits(self) -> Tensor:
        """(n, classes) float64: the features as scores of the classes. Raises UserError when they are none."""
        found = self.vectors
        if found.shape[1] < int(self.table.labels.max()) + 1:
            raise UserError(
                f"{self.named}: the network has {found.shape[1]} outputs, too few for the labels; measure this on "
                "the logits of a classifier that knows these classes."
            )
        return found.double()

    @property
    def labels(self) -> Tensor:
        """(n,) int64 on the features' device. Raises UserError when some samples have none."""
        labels = self.table.labels
        if (labels < 0).any():
            raise UserError(
                f"{self.named}: this measure needs a label for every sample; use a labelled split."
            )
        return labels.to(self.features.device)

    def values(self, field: str) -> Tensor:
        """(n, …): the numbers of a field. Raises UserError when there is none such."""
        self._there(field)
        found = self.table[field]
        if not isinstance(found, Tensor):
            raise UserError(f"{self.named}: field `{field}` does not hold numbers; name one that does.")
        return found

    def _there(self, field: str) -> None:
        if field not in self.table.fields:
            known = ", ".join(f"`{name}`" for name in self.table.fields)
            near = suggestion(field, self.table.fields) or f"; it has {known}"
            raise UserError(f"{self.named}: there is no field `{field}`{near}")


class Measure:
    """Measures on one or more sets (see `MeasureOptions`), of which the last is the evaluated one."""

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


def percent(hits: Tensor) -> float:
    """The mean of hits or shares (n,), in percent."""
    return 100 * hits.to(torch.float64).mean().item()
