"""What methods remember of earlier batches: the last ones, or one entry for every sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repro.engine.method import unit


class Queue(nn.Module):
    """The last `size` vectors of `dim` numbers, first in, first out; random unit vectors at the start."""

    rows: Tensor
    at: Tensor

    def __init__(self, size: int, dim: int):
        super().__init__()
        self.register_buffer("rows", unit(torch.randn(size, dim)))
        self.register_buffer("at", torch.zeros((), dtype=torch.int64))

    def push(self, x: Tensor) -> None:
        """x (n, dim) takes the place of the n oldest rows; of more than `size`, only the last stay."""
        places, x = self._places(x)
        self.rows[places] = x
        self.at.add_(len(x)).remainder_(len(self.rows))

    def pushed(self, x: Tensor) -> Tensor:
        """The rows (size, dim) as `push(x)` would leave them."""
        return self.rows.index_copy(0, *self._places(x))

    def _places(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Those rows of x that stay, after the places that they take."""
        x = x[-len(self.rows) :].to(self.rows.dtype)
        return (self.at + torch.arange(len(x), device=x.device)) % len(self.rows), x


class Bank(nn.Module):
    """One vector for every sample of the data set; random unit vectors until `met` says that it was put there."""

    rows: Tensor
    met: Tensor

    def __init__(self, samples: int, dim: int, device: torch.device):
        super().__init__()
        self.register_buffer("rows", unit(torch.randn(samples, dim)).to(device))
        self.register_buffer("met", torch.zeros(samples, dtype=torch.bool, device=device))

    def put(self, index: Tensor, x: Tensor) -> None:
        """x (n, dim) takes the place of the rows index (n,)."""
        self.rows[index] = x.to(self.rows.dtype)
        self.met[index] = True
