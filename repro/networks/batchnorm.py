"""BatchNorm whose statistics are taken over the span that the recipe states, whatever the division of the batch.

A batch is divided into groups of `span` samples, each normalised by its own statistics. Inside a chunk that
is ghost BatchNorm (Hoffer et al. 2017, arXiv 1705.08741); a group that lies on several processes has its
sums added over them, with gradient, on CPU and GPU alike. Running statistics are updated once per step, with
the mean of the groups' statistics, also when gradient caching goes through a chunk twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass
class Span:
    """What the BatchNorm layers of a network know of the chunk that passes through them.

    `groups` are the sizes of the groups in it, in samples; for synchronised groups `first` and `total` place
    the chunk's first sample in the batch and count its samples. `collect` says that the running statistics
    are to learn from this pass.
    """

    groups: tuple[int, ...] = ()
    first: int = 0
    total: int = 0
    size: int = 0
    synchronised: bool = False
    collect: bool = True
    layers: list[SpanBatchNorm] = field(default_factory=list)

    @property
    def learning(self) -> bool:
        """Whether any of the layers normalises by the batch at present."""
        return any(layer.training for layer in self.layers)

    def update_running_statistics(self, processes: int = 1) -> None:
        """Moves the running statistics towards the mean over the groups that were seen in this step."""
        tracking = [layer for layer in self.layers if layer.running_mean is not None]
        if not tracking:
            return
        seen = torch.cat([layer.seen for layer in tracking])
        if processes > 1 and not self.synchronised:
            dist.all_reduce(seen)
        for layer, part in zip(tracking, seen.split([len(r.seen) for r in tracking]), strict=True):
            layer.learn(part)
        self.forget()

    def forget(self) -> None:
        """Drops what was seen, after a step or after one that was given up."""
        for layer in self.layers:
            layer.seen.zero_()


class SumOverProcesses(torch.autograd.Function):
    """Adds a tensor over all processes; the gradient of a sum is the sum of the processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SpanBatchNorm(_BatchNorm):
    """Takes the place of BatchNorm1d, 2d or 3d, with the same parameters, buffers and names.

    `seen` (2 C + 1) holds the sums of the means and variances of the groups seen in this step, and their number.
    """

    span: Span
    seen: Tensor
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float | None

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, x: Tensor) -> Tensor:
        """x (rows, C, …); the rows of a sample follow one another. In eval mode as torch's BatchNorm."""
        if not self.training or not self.span.groups:
            return super().forward(x)
        each = len(x) // sum(self.span.groups)
        if self.span.synchronised:
            return self._synchronised(x, each)
        parts = x.split([g * each for g in self.span.groups])
        return torch.cat([self._ghost(p) for p in parts]) if len(parts) > 1 else self._ghost(x)

    def _ghost(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        # with momentum 1 these become the group's statistics
        mean, var = (torch.zeros(x.shape[1], dtype=wide, device=x.device) for _ in range(2))
        y = F.batch_norm(x, mean, var, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps)
        self._collect(mean, var, 1)
        return y

    def _synchronised(self, x: Tensor, each: int) -> Tensor:
        """Groups of any size at any place: their sums over all processes, then the normalisation by row."""
        span, wide = self.span, x.to(torch.promote_types(x.dtype, torch.float32))
        rows = torch.arange(len(x), device=x.device) // each + span.first
        group = rows // span.size
        places = list(range(2, x.dim()))
        sizes = torch.full((-(-span.total // span.size),), span.size, device=x.device)
        sizes[-1] = span.total - span.size * (len(sizes) - 1)
        count = (sizes * each * x[0, 0].numel())[:, None].to(wide.dtype)

        def summed(values: Tensor) -> Tensor:  # (rows, C, …) -> (groups, C)
            by_row = values.sum(places) if places else values
            return SumOverProcesses.apply(
                by_row.new_zeros(len(sizes), x.shape[1]).index_add(0, group, by_row)
            )

        def spread(values: Tensor) -> Tensor:  # (groups, C) -> (rows, C, 1, …)
            return values[group].reshape(len(x), -1, *[1] * len(places))

        mean = summed(wide) / count
        centred = wide - spread(mean)
        var = summed(centred.square()) / count
        y = centred * spread((var + self.eps).rsqrt())
        if self.affine:
            scale, shift = (p.reshape(1, -1, *[1] * len(places)) for p in (self.weight, self.bias))
            y = y * scale + shift
        unbiased = var * count / (count - 1)
        self._collect(mean.detach().sum(0), unbiased.detach().sum(0), len(sizes))
        return y.to(x.dtype)

    def _collect(self, mean: Tensor, var: Tensor, groups: int) -> None:
        if self.span.collect and self.running_mean is not None:
            self.seen.add_(torch.cat([mean, var, mean.new_full((1,), groups)]))

    def learn(self, seen: Tensor) -> None:
        """Moves the running statistics towards `seen`; not at all where no group was (without asking the device).

        By `momentum`, or to the mean over all steps where it is None, as torch does.
        """
        groups, some = seen[-1].clamp(min=1), seen[-1] > 0
        self.num_batches_tracked += some
        mean, var = (seen[:-1] / groups).chunk(2)
        steps = self.num_batches_tracked.clamp(min=1).to(mean.dtype)
        share = some.to(mean.dtype) * (1 / steps if self.momentum is None else self.momentum)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var, share)


def convert(network: nn.Module) -> Span:
    """Turns every BatchNorm of the network, in place, into one that follows the returned span."""
    span = Span(layers=[m for m in network.modules() if isinstance(m, _BatchNorm)])  # type: ignore[misc]
    for layer in span.layers:
        layer.__class__ = SpanBatchNorm  # keeps parameters, buffers, mode and device as they are
        size = 2 * layer.num_features + 1
        layer.span = span
        layer.seen = torch.zeros(0) if layer.running_mean is None else layer.running_mean.new_zeros(size)
    return span


@contextmanager
def unlearning(network: nn.Module) -> Iterator[None]:
    """Within, BatchNorm normalises by the batch as in training, and its running statistics learn nothing of it."""
    layers: list[Any] = [m for m in network.modules() if isinstance(m, _BatchNorm)]
    spans = {id(m.span): m.span for m in layers if isinstance(m, SpanBatchNorm)}.values()
    before = [(span, "collect", span.collect) for span in spans]
    before += [(m, "momentum", m.momentum) for m in layers if not isinstance(m, SpanBatchNorm)]
    for owner, name, _ in before:
        setattr(owner, name, 0)
    yield
    for owner, name, value in before:
        setattr(owner, name, value)
