"""Some of the classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from repro.data.slices.base import Slice, labels_of
from repro.data.slices.classes_options import ClassesOptions
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import permutation


class Classes(Slice):
    """Some of the classes; of tasks, the last ones get one class less where they cannot all have as many."""

    Options = ClassesOptions

    def __call__(self, table: Table, key: int) -> Table:
        labels, chosen = labels_of(table, "classes"), self.chosen(table.classes, key)
        if not len(chosen) or chosen.max() >= table.classes:
            raise UserError(
                f"{table.name} has {table.classes} classes, and the slice `classes` asks for others."
            )
        kept = table.take(torch.isin(labels, chosen).nonzero()[:, 0])
        if not self.options.renumber:
            return kept
        new = torch.full((table.classes,), -1)
        new[chosen] = torch.arange(len(chosen))
        return replace(kept.having(label=new[kept.labels]), classes=len(chosen))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """Two of the four classes that there are then for each task, all of them for several."""
        if options.of is None:
            return options
        task = options.task
        only = (0, 1, 2, 3) if task is None else tuple(sorted({task % 4, (task + 1) % 4}))
        return options.model_copy(update={"of": None, "task": None, "up_to": None, "only": only})

    def chosen(self, classes: int, key: int) -> Tensor:
        """The chosen classes (m,)."""
        o, every = self.options, torch.arange(classes)
        if o.only is not None:
            return torch.tensor(o.only)
        if o.without is not None:
            return every[~torch.isin(every, torch.tensor(o.without))]
        order = permutation(key, classes) if o.shuffled else every
        parts = order.tensor_split(o.of)
        number = o.task if o.task is not None else o.up_to
        if number >= o.of:
            raise UserError(f"The slice `classes` has {o.of} tasks, and asks for number {number} (from 0).")
        return parts[number] if o.task is not None else torch.cat(parts[: number + 1])
