"""A split of a data set: a table of named fields with one entry for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from repro.data.fingerprint import Fingerprint
from repro.recipes.schema import Deviation


@dataclass(frozen=True)
class Ragged:
    """Entries of different lengths: entry i is values[starts[i]:starts[i + 1]], with starts (n + 1,) int64."""

    values: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: Tensor) -> Ragged:
        """index (m,) -> those entries, in that order."""
        lengths = self.lengths[index]
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        within = torch.arange(int(starts[-1]), device=starts.device) - starts[:-1].repeat_interleave(lengths)
        return Ragged(self.values[self.starts[:-1][index].repeat_interleave(lengths) + within], starts)

    @property
    def lengths(self) -> Tensor:
        """(n,) int64."""
        return self.starts.diff()

    def padded(self, length: int, fill: int | float = 0) -> Tensor:
        """(n, length, …): the first `length` values of each entry, and `fill` where it has fewer."""
        places = torch.arange(length, device=self.starts.device)
        beyond = places >= self.lengths[:, None]
        if not len(self.values):
            return self.values.new_full((len(self), length, *self.values.shape[1:]), fill)
        found = self.values[(self.starts[:-1, None] + places).clamp(max=len(self.values) - 1)]
        return found.masked_fill(beyond.view(*beyond.shape, *[1] * (found.dim() - 2)), fill)

    def to(self, device: torch.device) -> Ragged:
        return Ragged(self.values.to(device), self.starts.to(device))


@dataclass(frozen=True)
class Stream:
    """Places in one long sequence: entry i is what follows from `values[at[i]]` on, with at (n,) int64."""

    values: Tensor
    at: Tensor

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: Tensor) -> Stream:
        """index (m,) -> those entries, in that order."""
        return Stream(self.values, self.at[index])

    def padded(self, length: int, fill: int | float = 0) -> Tensor:
        """(n, length, …): the first `length` values of each entry, as those of `Ragged`.

        Entries that begin too near the end begin earlier, so that all are full; `fill` stands at the end only of a
        sequence that is shorter than that.
        """
        first = self.at.clamp(max=max(len(self.values) - length, 0))
        values, missing = self.values, length - len(self.values)
        if missing > 0:
            values = torch.cat([values, values.new_full((missing, *values.shape[1:]), fill)])
        return values[first[:, None] + torch.arange(length, device=self.at.device)]

    def to(self, device: torch.device) -> Stream:
        return Stream(self.values.to(device), self.at.to(device))


@dataclass(frozen=True, kw_only=True)
class Table:
    """Fields have a length, and give a selection of their entries for a tensor of numbers: tensors (n, …) on the CPU,
    `Ragged` ones, a `Stream`, or images that stay encoded.

    `labels`, where there are any, are the field `label` (n,) int64 below `classes`, −1 for samples without.
    `shape` is that of a sample as networks see it: (C, H, W) of images, (d,) of features, (length, vocabulary) of
    tokens. `facts` hold what belongs to the set as a whole. `fingerprint` is None for data that is generated or was
    changed; `deviations` are what a record of a run has to say about the data.
    """

    fields: Mapping[str, Any]
    name: str
    split: str
    shape: tuple[int, ...]
    classes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    deviations: list[Deviation] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    @property
    def labels(self) -> Tensor:
        """(n,) int64; all −1 where there is no field `label`."""
        found: Tensor | None = self.fields.get("label")
        return torch.full((len(self),), -1) if found is None else found

    @property
    def scalars(self) -> dict[str, Tensor]:
        """The fields with one number for each sample (n,)."""
        return {n: x for n, x in self.fields.items() if isinstance(x, Tensor) and x.dim() == 1}

    def take(self, index: Tensor) -> Self:
        """The samples index (m,), in that order. The table loses its fingerprint."""
        return self.having(**{name: entries[index] for name, entries in self.fields.items()})

    def having(self, **fields: Any) -> Self:
        """The same set with other fields, or further ones. It loses its fingerprint."""
        return replace(self, fields={**self.fields, **fields}, fingerprint=None)
