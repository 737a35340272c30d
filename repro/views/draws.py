"""The random numbers that turn samples into one of their views."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from repro.keys import key as key_of
from repro.keys import uniform


@dataclass(frozen=True)
class Draws:
    """One stream of numbers for every name, so that no operation's draws depend on another's.

    A sample's numbers depend on `key`, `view`, the name of the draw and the sample's `index` (n,) alone.
    """

    key: int
    view: int
    index: Tensor

    def unit(self, name: str, count: int) -> Tensor:
        """(n, count) numbers in [0, 1)."""
        return uniform(key_of(self.key, self.view, name), self.index, count)

    def between(self, name: str, low: float, high: float) -> Tensor:
        """(n,) numbers, uniform from `low` to `high`."""
        return low + (high - low) * self.unit(name, 1)[:, 0]

    def happens(self, name: str, p: float) -> Tensor:
        """(n,) booleans, each true with probability `p`."""
        return self.unit(name, 1)[:, 0] < p

    def chosen(self, name: str, p: float) -> Tensor:
        """(m,) positions in the batch of the samples to which `name` happens."""
        return self.happens(name, p).nonzero()[:, 0]
