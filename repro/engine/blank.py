"""Rehearsing a computation on tensors without data, to count the bytes that it keeps.

A blank (torch's `FakeTensor`) has a shape and a dtype. Autograd, autocast and the code that is run treat it as a
tensor on the CPU; only the kernels are left out. So a step of the engine can be rehearsed in a second and next to no
memory, while `Count` follows what is alive.
"""

from __future__ import annotations

import copy
import weakref
from contextlib import ExitStack
from math import prod
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


class Bytes(NamedTuple):
    """Bytes of tensors that lie in the heap, and of larger ones, which are mapped one by one."""

    small: int
    large: int

    def plus(self, size: int, heap: int) -> Bytes:
        """With `size` bytes more, in the heap if they are fewer than `heap`."""
        return (
            Bytes(self.small + size, self.large) if abs(size) < heap else Bytes(self.small, self.large + size)
        )

    def most(self, other: Bytes) -> Bytes:
        """The larger of each."""
        return Bytes(max(self.small, other.small), max(self.large, other.large))


class Count(TorchDispatchMode):
    """Within, `now` are the bytes of the tensors that are alive and were made within, `peak` the most that were.

    A storage counts once, however many tensors share it. Storages below `heap` bytes are the small ones. The two
    peaks need not be at the same time; `together` is the most of both at one time.
    """

    def __init__(self, heap: int = 0) -> None:
        super().__init__()
        self.heap = heap
        self.now = self.peak = Bytes(0, 0)
        self.together = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = self.result(function, args, kwargs or {})
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                self.add(x)
        return result

    def result(self, function: Any, args: Any, kwargs: Any) -> Any:
        """What the operation gives."""
        return function(*args, **kwargs)

    def add(self, x: Tensor) -> None:
        """Counts the tensor's storage until it is freed, unless that is done already."""
        storage = x.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self.now = self.now.plus(size, self.heap)
            self.peak, self.together = self.peak.most(self.now), max(self.together, sum(self.now))
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now = self.now.plus(-size, self.heap)


class Rehearsal(Count):
    """Within, tensors are blanks, and nothing is sent to other processes.

    Questions about values get an answer that leads on: a number is 1, and every place of a mask counts as chosen,
    so that what depends on data is counted at its largest.
    """

    def __init__(self, heap: int = 0) -> None:
        super().__init__(heap)
        self._blanks = FakeTensorMode(allow_non_fake_inputs=True)
        self._within = ExitStack()
        self._fine: Tensor | None = None  # where the last factorisation says whether it failed

    def __enter__(self) -> Rehearsal:
        for name in ("all_reduce", "all_gather"):
            self._within.enter_context(patch.object(dist, name, _nothing))
        self._within.enter_context(self._blanks)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._within.close()

    def twin(self, module: nn.Module) -> Any:
        """A copy of a module, be it on the meta device or a true one, of blanks. To be made before entering."""
        memo: dict[int, Any] = {id(b): self._blank(b) for b in module.buffers()}
        for p in module.parameters():
            memo[id(p)] = nn.Parameter(self._blank(p), p.requires_grad)
        return copy.deepcopy(module, memo)

    def _blank(self, x: Tensor) -> Tensor:
        meta = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")
        blank = FakeTensor(self._blanks, meta, torch.device("cpu"))
        self.add(blank)
        return blank

    def result(self, function: Any, args: Any, kwargs: Any) -> Any:
        if function is aten.linalg_cholesky_ex.default:
            factor, self._fine = function(*args, **kwargs)
            return factor, self._fine
        if function is aten._local_scalar_dense.default:
            if args[0] is self._fine:
                return 0  # no failure
            return 1.0 if args[0].is_floating_point() else 1
        if function is aten.nonzero.default:
            return args[0].new_empty((args[0].numel(), args[0].dim()), dtype=torch.int64)
        if function is aten.bincount.default:
            return args[0].new_empty(args[2] if len(args) > 2 else 0)  # `minlength` at least
        if function is aten.index.Tensor:
            return function(args[0], [place for x in args[1] for place in _places(x)])
        if function is aten.view.default and -1 not in args[1] and prod(args[1]) != args[0].numel():
            return args[0].new_empty(args[1])  # the code knows how many places a mask chooses
        return function(*args, **kwargs)


def _places(index: Tensor | None) -> list[Tensor | None]:
    """An index, or in place of a mask the positions of all of its entries, an index for each dimension."""
    if index is None or index.dtype is not torch.bool:
        return [index]
    return [index.new_empty(index.numel(), dtype=torch.int64)] * index.dim()


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Takes the place of a message to the other processes."""
