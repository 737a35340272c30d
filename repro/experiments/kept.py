"""Counts what autograd keeps for the backward pass, on any device."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that autograd keeps for the backward pass: `most` at a time, in `all` and per `part`.

    A tensor counts once however often it is saved; the `weights` do not count.
    """

    def __init__(self, weights: Iterable[Tensor]):
        super().__init__(self._pack, lambda held: held.tensor)
        self.weights = {w.untyped_storage().data_ptr() for w in weights}
        self.part, self.now, self.most = "loss", Counter[str](), Counter[str]()
        self.times: Counter[int] = Counter()

    def _pack(self, x: Tensor) -> Held:
        held, place = Held(x), x.data_ptr()
        if x.untyped_storage().data_ptr() in self.weights:
            return held
        self.times[place] += 1
        if self.times[place] == 1:
            for part in ("all", self.part):
                self.now[part] += x.numel() * x.element_size()
                self.most[part] = max(self.most[part], self.now[part])
        weakref.finalize(held, self._drop, place, self.part, x.numel() * x.element_size())
        return held

    def _drop(self, place: int, part: str, size: int) -> None:
        self.times[place] -= 1
        if not self.times[place]:
            for name in ("all", part):
                self.now[name] -= size


@dataclass(eq=False)
class Held:
    """A tensor that autograd keeps."""

    tensor: Tensor
