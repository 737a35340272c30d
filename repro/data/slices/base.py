"""What a choice of rows is."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from repro.data.table import Table
from repro.errors import UserError
from repro.keys import permutation
from repro.options.data import SliceOptions


class Slice:
    """Says which rows of a table take part, or with which labels.

    It is called with the table and the key of its draws, which is the same in all stages of a run. One whose options
    name earlier stages is also given `left(stage, what, table)`, see `repro.engine.artifacts`.
    """

    Options: ClassVar[type[SliceOptions]] = SliceOptions

    def __init__(self, options: Any):
        self.options = options

    def __call__(self, table: Table, key: int) -> Table:
        raise NotImplementedError

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """The options for a smoke run, which has a few samples only."""
        return options


def labels_of(table: Table, what: str) -> Tensor:
    """The labels (n,). Raises UserError when some samples have none, which `what` needs."""
    if (table.labels < 0).any():
        raise UserError(
            f"{table.name}, split {table.split}: the slice `{what}` needs a label for every sample."
        )
    return table.labels


def first_of_each(labels: Tensor, counts: Tensor, key: int) -> Tensor:
    """labels (n,), counts (classes,) -> indices, rising, of so many samples of each class.

    They are the first in an order that the key alone gives, so fewer of them are among more.
    """
    order = permutation(key, len(labels))
    by_class = order[labels[order].argsort(stable=True)].split(
        labels.bincount(minlength=len(counts)).tolist()
    )
    return torch.cat([own[: int(n)] for own, n in zip(by_class, counts, strict=True)]).sort().values


def balanced(labels: Tensor, fraction: float, key: int) -> Tensor:
    """labels (n,) -> indices (m,), rising: of each class c with n_c samples, round(fraction · n_c), at least 1.

    They are the first in an order that the key alone gives, so a smaller fraction is a part of a larger one.
    """
    counts = [max(1, round(fraction * n)) for n in labels.bincount().tolist()]
    return first_of_each(labels, torch.tensor(counts), key)
