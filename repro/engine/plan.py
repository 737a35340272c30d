"""How the batches of a recipe are divided over processes and micro-batches, and what BatchNorm sees of them.

The batch size and the BatchNorm span are facts of the experiment; processes and micro-batches are not, and
must not show in the numbers. A batch is a row of samples: BatchNorm groups of `span` samples follow one
another in it, each process takes a run of samples, and works through it in even chunks of at most `micro_batch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from repro.errors import UserError
from repro.options import Batch
from repro.recipes.schema import Deviation


@dataclass(frozen=True)
class Chunk:
    """Samples [start, stop) of a batch, embedded at once; `groups` are the BatchNorm groups' sizes in it."""

    start: int
    stop: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class BatchPlan:
    """The division of batches of `size` samples with BatchNorm over `span` of them.

    The last batch of an epoch may be smaller: the questions below are asked for a number of `samples`.
    """

    size: int
    span: int
    processes: int = 1
    micro_batch: int | None = None

    def check(self, samples: int, normalised: bool = False) -> None:
        """Raises UserError when a batch of `samples` leaves a process without any.

        Or, where BatchNorm sees one row a sample (`normalised`), when it would see a single sample.
        """
        if self.processes > samples:
            raise UserError(
                f"A batch of {samples} samples cannot be shared by {self.processes} processes; "
                "use fewer of them, or `drop_last` if it is the last batch of an epoch."
            )
        if normalised and 1 in self._normalised_over(samples):
            chunks = f" and micro-batches of {self.micro_batch}" if self.cached else ""
            raise UserError(
                f"BatchNorm would see a single sample: a batch of {samples} with `bn_span` {self.span}{chunks}; "
                "change one of them, or set `drop_last` if it is the last batch of an epoch."
            )

    def shares(self, samples: int) -> list[int]:
        """How many of a batch's `samples` each process takes: whole BatchNorm groups where there are enough."""
        groups = _cut(samples, self.span)
        if len(groups) < self.processes:
            return even(samples, self.processes)
        ends = list(accumulate(even(len(groups), self.processes), initial=0))
        return [sum(groups[a:b]) for a, b in pairwise(ends)]

    def bounds(self, samples: int, rank: int) -> tuple[int, int]:
        """Where the share of one process begins in a batch of `samples`, and where it ends."""
        ends = list(accumulate(self.shares(samples), initial=0))
        return ends[rank], ends[rank + 1]

    def chunks(self, samples: int, rank: int) -> list[Chunk]:
        """The chunks of one process for a batch of `samples`, at most `size`."""
        if samples > self.size:
            raise ValueError(f"a plan for batches of {self.size} cannot divide {samples} samples")
        first, last = self.bounds(samples, rank)
        if not self.cached or self.micro_batch is None:
            return [Chunk(first, last, self._groups(first, last))]
        pieces = [n for g in self._groups(first, last) for n in even(g, -(-g // self.micro_batch))]
        at_once = max(1, self.micro_batch // self.span)  # whole groups, if some fit
        counts = accumulate(even(len(pieces), -(-len(pieces) // at_once)), initial=0)
        ends = list(accumulate(pieces, initial=first))
        return [Chunk(a, b, self._groups(a, b)) for a, b in pairwise([ends[i] for i in counts])]

    @property
    def cached(self) -> bool:
        """Whether a process needs several chunks, and so gradient caching."""
        return self.micro_batch is not None and max(self.shares(self.size)) > self.micro_batch

    @property
    def at_once(self) -> int:
        """The most samples that a process embeds at once."""
        return max(c.stop - c.start for rank in range(self.processes) for c in self.chunks(self.size, rank))

    def synchronised(self, samples: int) -> bool:
        """Whether a BatchNorm group lies on several processes and its statistics are summed over them."""
        return not self.cached and not set(accumulate(self.shares(samples))) <= self._group_ends(samples)

    def exact(self, samples: int) -> bool:
        """Whether BatchNorm sees exactly the groups of the recipe."""
        ends = {c.stop for r in range(self.processes) for c in self.chunks(samples, r)}
        return self.synchronised(samples) or ends <= self._group_ends(samples)

    def deviations(self, sizes: Iterable[int]) -> list[Deviation]:
        """What this plan cannot honour of the recipe in batches of these sizes."""
        inexact = [samples for samples in sizes if not self.exact(samples)]
        if not inexact:
            return []
        seen = {n for samples in inexact for n in self._normalised_over(samples)}
        return [
            Deviation(
                what="BatchNorm span",
                paper=f"{self.span} samples",
                here=f"{_range(seen)} samples",
                why="the micro-batch is smaller than the span and gradients are cached",
            )
        ]

    def describe(self) -> str:
        """For example `batch 1024 = 2 processes × 2 × 256, BatchNorm over 256 (exact)`."""
        shares = self.shares(self.size)
        many = "processes" if self.processes > 1 else "process"
        own = self.chunks(self.size, 0)
        each = f"{len(own)} × {_range({c.stop - c.start for c in own})}" if self.cached else str(shares[0])
        uneven = f" (shares {shares})" if len(set(shares)) > 1 else ""
        exact = "exact" if self.exact(self.size) else f"only over {_range(self._normalised_over(self.size))}"
        how = "synchronised" if self.synchronised(self.size) else exact
        return f"batch {self.size} = {self.processes} {many} × {each}{uneven}, BatchNorm over {self.span} ({how})"

    def _normalised_over(self, samples: int) -> set[int]:
        """The sizes of the groups that BatchNorm sees."""
        if self.synchronised(samples):
            return set(_cut(samples, self.span))
        return {g for rank in range(self.processes) for c in self.chunks(samples, rank) for g in c.groups}

    def _groups(self, start: int, stop: int) -> tuple[int, ...]:
        """The sizes of the groups' parts within [start, stop)."""
        inner = [e for e in range(start // self.span * self.span, stop, self.span) if start < e < stop]
        return tuple(b - a for a, b in pairwise([start, *inner, stop]))

    def _group_ends(self, samples: int) -> set[int]:
        return set(accumulate(_cut(samples, self.span)))


def batch_plan(batch: Batch, processes: int = 1, micro_batch: int | None = None) -> BatchPlan:
    """The plan for a recipe's `batch:` on this many processes."""
    return BatchPlan(batch.size, min(batch.bn_span or batch.size, batch.size), processes, micro_batch)


def even(items: int, parts: int) -> list[int]:
    """`items` in `parts` shares that differ by at most one."""
    whole, rest = divmod(items, parts)
    return [whole + (i < rest) for i in range(parts)]


def _cut(samples: int, size: int) -> list[int]:
    whole, rest = divmod(samples, size)
    return [size] * whole + [rest] * (rest > 0)


def _range(sizes: set[int]) -> str:
    """`64`, or `51 to 52`."""
    least, most = min(sizes), max(sizes)
    return str(most) if least == most else f"{least} to {most}"
