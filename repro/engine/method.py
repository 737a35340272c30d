"""The protocol of a training objective."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from repro.options import MethodOptions


class Method(nn.Module):
    """A training objective: what is computed per sample (`embed`), and the loss over the batch (`loss`).

    `embed` sees only its own samples; `loss` sees what `embed` returned for the whole batch, gathered from all
    processes and micro-batches. Each names what it needs as parameters:

    * `embed(views)`, also `label`, `index`: views (n, V, C, H, W), label (n,), index (n,) in the data set.
    * `loss(<keys of embed's result>)`, also `label` and `index` of the whole batch -> scalar.

    `after_step(step, total)` is called after each update (momentum encoders, queues, centres).
    """

    class Options(MethodOptions):
        pass

    def __init__(self, options: Any, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head

    def embed(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def loss(self, *args: Any, **kwargs: Any) -> Tensor:
        raise NotImplementedError

    def after_step(self, step: int, total: int) -> None:
        """Nothing, unless the method keeps state."""

    def project(self, views: Tensor) -> Tensor:
        """views (n, V, C, H, W) -> head(encoder(·)) of every view (n, V, d)."""
        return self.head(self.encoder(views.flatten(0, 1))).unflatten(0, views.shape[:2])


def call(function: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Calls `function` with those of the `available` values that its parameters name."""
    return function(**{name: available[name] for name in inspect.signature(function).parameters})


def unit(x: Tensor) -> Tensor:
    """x / ‖x‖ along the last dimension."""
    return F.normalize(x, dim=-1)
