"""Keyed random numbers for what a method computes, so that the division of a batch does not show in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from repro.keys import key as key_of
from repro.keys import permutation, uniform


@dataclass(frozen=True)
class Draws:
    """The numbers of rows `first` to `first + rows − 1` of a batch: a hash of `key`, the name and the row alone.

    `key` is that of the step. Every name has a stream of its own; asked twice, it gives the same numbers.
    """

    key: int
    first: int
    rows: int
    device: torch.device

    def uniform(self, name: str, *shape: int) -> Tensor:
        """(rows, *shape) float32 in [0, 1)."""
        index = torch.arange(self.first, self.first + self.rows, device=self.device)
        return uniform(key_of(self.key, name), index, math.prod(shape)).view(self.rows, *shape)

    def normal(self, name: str, *shape: int) -> Tensor:
        """(rows, *shape) float32, standard normal (Box and Muller 1958)."""
        radius, angle = self.uniform(name, 2, *shape).unbind(1)
        return (-2 * (1 - radius).log()).sqrt() * (2 * math.pi * angle).cos()

    def order(self, name: str, count: int) -> Tensor:
        """(rows, count) int64: for each row a random order of 0..count − 1."""
        return self.uniform(name, count).argsort(dim=1, stable=True)

    def permutation(self, name: str) -> Tensor:
        """(rows,) int64: a random order of the rows. Only the loss, which sees all of them, can make use of it."""
        return permutation(key_of(self.key, name), self.rows).to(self.device)
