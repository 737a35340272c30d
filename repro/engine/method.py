"""The protocol of a training objective."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.errors import UserError
from repro.options import MethodOptions


class Method(nn.Module):
    """A training objective: what is computed per sample (`embed`), and the loss over the batch (`loss`).

    `embed` sees only its own samples; `loss` sees what `embed` returned for the whole batch, gathered from all
    processes and micro-batches. Each names what it needs as parameters:

    * `embed(views)`, also `local`, `label`, `index`: views (n, V, C, H, W), and those of the recipe's
      `views: local:`, (n, L, C, h, w); label (n,), index (n,) in the data set, and whatever else is one number for
      each sample. -> {name: (n, …)}
    * `loss(<names in embed's result>)`, also `label`, `index`, … of the whole batch -> scalar, or a dict of scalars
      with the `loss` and others for the curve.

    A row of a batch may be a group of samples (a class, an episode, a sample with its partner), as the recipe's
    sampler has it: then views are (n, *group, V, …) and labels (n, *group). What a further stream of the recipe, such
    as `unlabelled`, adds to a row arrives as `unlabelled_views` (n, μ, V, …), `unlabelled_label`, and so on.
    Both may also ask for `step`, `total`, … (see below), and for `draws` (`engine.draws.Draws`), the only source of
    random numbers that does not depend on how a batch is divided. Where the recipe has `turns`, they are called for
    each update of a step, and may ask for its `turn`: 0, 1, …

    Where `shuffles` is true, `keys` (as `embed`, without gradient) is evaluated first, over the batch in another
    order, so that its BatchNorm groups are others than those of `embed`; its results are further arguments for all.

    What lasts longer than a step (momentum encoders, queues, banks, centres) are submodules and buffers, so that
    checkpoints hold it. It changes only in these hooks, which name what they need in the same way, from `step`,
    `total` (steps of the run), `epoch`, `epochs` and `per_epoch` (steps of an epoch):

    * `begin(samples, table)`: before the first step, with the number of samples in the data set, and the set.
    * `before_step(…)`: for example to freeze a layer for a while; or to cluster at the start of an epoch, from
      `features()`: the encoder's features (samples, dim) of the whole set, without augmentation.
    * `after_step(…)`: after the update; also `embed`'s results, detached, `label` and `index` of the whole batch.
    * `end()`: after the last step, before the network is kept for later stages.

    A method whose loss needs more than one sample says so (`least`), and one whose results may rightly be the same
    for all samples names those that may not (`guarded`): a run whose embeddings have become equal is stopped.
    """

    Options: ClassVar[type[MethodOptions]] = MethodOptions

    apart = False  # whether the views pass through the networks one after the other, see `options.Batch`
    least = 1  # samples that a batch must have
    # The results of `embed` that must not collapse; None: all with features.
    guarded: tuple[str, ...] | None = None
    shuffles = False  # whether `keys` is used
    # Parts that a later stage which starts from this one's network gets beside encoder and head, if it has them.
    carried: tuple[str, ...] = ()
    still: tuple[nn.Module, ...] = ()  # parts that do not learn: frozen, and always in eval mode

    def __init__(self, options: Any, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part in self.still:
            part.eval()
        return self

    def embed(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def keys(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def loss(self, *args: Any, **kwargs: Any) -> Tensor | dict[str, Tensor]:
        raise NotImplementedError

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, unless the method keeps something of every sample."""

    def before_step(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, unless the method needs it."""

    def after_step(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, unless the method keeps state."""

    def end(self) -> None:
        """Nothing, unless later stages are to get other weights than those that were trained."""

    def check(self, samples: int) -> None:
        """Raises UserError when the loss of a batch of so many samples would have no meaning."""
        if samples < self.least:
            raise UserError(
                f"{type(self).__name__} needs at least {self.least} samples in a batch, and there would be one of "
                f"{samples}; use a larger `batch: size`, or `drop_last: true` if it is the last batch of an epoch."
            )

    def constant_rates(self) -> Iterable[nn.Module]:
        """Parts whose learning rate the schedule leaves alone."""
        return ()

    def own_rates(self) -> Iterable[tuple[nn.Module, float]]:
        """Parts with a learning rate of their own, and without weight decay."""
        return ()

    def without_momentum(self) -> Iterable[nn.Module]:
        """Parts that SGD updates without momentum."""
        return ()

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """The options for a smoke run, which has a few samples only."""
        return options

    def project(self, views: Tensor) -> Tensor:
        """views (n, V, C, H, W) -> head(encoder(·)) of every view (n, V, d)."""
        return self.through(views, self.encoder, self.head)

    def project_crops(self, views: Tensor, local: Tensor | None) -> Tensor:
        """views (n, V, C, H, W), local (n, L, C, h, w) -> (n, V + L, d): the encoder by size, the head on all."""
        if local is None:
            return self.project(views)
        features = [self.through(crops, self.encoder) for crops in (views, local)]
        return self.through(torch.cat(features, 1), self.head)

    def through(self, views: Tensor, *networks: nn.Module) -> Tensor:
        """views (n, V, …) -> the networks, one after the other, on every view (n, V, d)."""
        network = nn.Sequential(*networks)
        if self.apart:
            return torch.stack([network(view) for view in views.unbind(1)], 1)
        return network(views.flatten(0, 1)).unflatten(0, views.shape[:2])


def call(function: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Calls `function` with those of the `available` values that its parameters name; all of them for `**`.

    A parameter with a default keeps it when its value is not available.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return function(**available)
    wanted = (p.name for p in parameters if p.name in available or p.default is p.empty)
    return function(**{name: available[name] for name in wanted})


def names(function: Callable[..., Any], fact: str) -> bool:
    """Whether `function` names `fact` as a parameter, as `label` or `index`."""
    return fact in inspect.signature(function).parameters


def view_cross_entropy(logits: Tensor, label: Tensor, smoothing: float = 0.0) -> Tensor:
    """logits (N, V, classes), label (N,) -> softmax cross-entropy in nats per view."""
    target = label.repeat_interleave(logits.shape[1])
    return F.cross_entropy(logits.flatten(0, 1), target, label_smoothing=smoothing)


def info_nce(logits: Tensor) -> Tensor:
    """logits (n, n) -> cross-entropy in nats of finding the positive, on the diagonal, in each row."""
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def unit(x: Tensor) -> Tensor:
    """x / ‖x‖ along the last dimension, in float32 at least: bf16 would leave the lengths off by half a percent."""
    return F.normalize(exact(x), dim=-1)


def exact(x: Tensor) -> Tensor:
    """x in float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
