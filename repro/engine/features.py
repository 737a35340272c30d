"""Features of a frozen network, and what is measured on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from repro.data.table import Table
from repro.engine.loop import Collapse
from repro.engine.plan import even
from repro.engine.stage import Context
from repro.engine.update import gathered
from repro.errors import UserError
from repro.options import DataOptions, Views
from repro.views.loader import plain_views


@torch.no_grad()
def extract(
    ctx: Context,
    network: nn.Module | Callable[[Tensor], Tensor],
    data: Table,
    views: Views,
    batch: int = 512,
) -> Tensor:
    """network(image) for every image, without augmentation: (n, dim) float32 on the run's device.

    Every process takes a share of the images and gets the features of all. Size and normalisation are those
    that `views` states, else the data set's own. Raises Collapse when some are not finite.
    """
    shares = even(len(data), ctx.setup.processes)
    start = sum(shares[: ctx.setup.rank])
    stop = start + shares[ctx.setup.rank]
    parts = []
    for images in plain_views(data, views, ctx.device, start, stop, batch):
        with ctx.setup.autocast():
            parts.append(network(images).float())
    features = gathered(torch.cat(parts), shares)
    if wrong := int((~features.isfinite()).flatten(1).any(1).sum()):
        raise Collapse(
            f"stage `{ctx.stage}`: the network gives {wrong} of {len(data)} images NaN or infinite values"
        )
    return features


def labelled(ctx: Context, split: str, options: DataOptions | None = None) -> Any:
    """A split of the recipe's data set, or what the options say. Raises UserError when some samples have no label."""
    data = ctx.table(options, split)
    if (data.labels < 0).any():
        raise UserError(
            f"Stage `{ctx.stage}` needs a label for every image, and split `{split}` has images without; use another."
        )
    return data


def accuracy(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """scores (n, classes), labels (n,) -> `top1` and `top5` in percent (top5 only with more than 5 classes).

    A score of −∞ says that the class has none, and is never a hit.
    """
    values, classes = scores.topk(min(5, scores.shape[1]), dim=1)
    best = (classes == labels[:, None]) & (values > -torch.inf)
    result = {"top1": 100 * best[:, 0].double().mean().item()}
    if scores.shape[1] > 5:
        result["top5"] = 100 * best.any(1).double().mean().item()
    return result


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Guards an evaluation: inside, `network` must be in eval mode and must not change.

    Raises RuntimeError if it is not frozen, or if any parameter or buffer differs afterwards.
    """
    if any(m.training for m in network.modules()) or any(p.requires_grad for p in network.parameters()):
        raise RuntimeError("the evaluated network is not frozen and in eval mode")
    before = _digest(network)
    yield
    if _digest(network) != before:
        raise RuntimeError("the evaluated network changed during its evaluation")


def _digest(network: nn.Module) -> list[tuple[float, float]]:
    return [
        (t.double().sum().item(), t.double().square().sum().item()) for t in network.state_dict().values()
    ]
