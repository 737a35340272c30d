"""Training a method on a data set: what the stages `train` and `linear_probe` share."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from repro.data.load import ImageSet
from repro.engine import optim
from repro.engine.batches import Batches
from repro.engine.keys import key
from repro.engine.loop import Collapse, Loop
from repro.engine.method import Method, unit
from repro.engine.plan import batch_plan
from repro.engine.stage import Context
from repro.engine.update import Updater, trainable
from repro.networks.batchnorm import convert
from repro.options import Batch, Optimizer, Schedule, Views
from repro.views.augment import Augment

LOGGED = 200  # points of the curve in a whole run


class Training(Protocol):
    """The options that `fit` needs of a stage."""

    views: Views
    epochs: int
    batch: Batch
    optimizer: Optimizer
    schedule: Schedule


def fit(ctx: Context, method: Method, data: ImageSet, o: Training, micro_batch: int | None = None) -> Loop:
    """Minimises the method's loss over the recipe's epochs. Returns the finished loop with its curve.

    At most `micro_batch` samples go through the network at once; fewer, when the memory turns out too small.
    The curve has `loss`, `lr` and `spread` (see `spread`). Raises Collapse when the loss is not finite or
    all embeddings have become equal, and UserError when a batch cannot be shared by the processes.
    """
    method.to(ctx.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    span = convert(method)
    optimizer = optim.build(o.optimizer, trainable(method))
    batches = Batches(len(data.images), o.batch.size, o.epochs, o.batch.drop_last, ctx.seed)
    plan = batch_plan(o.batch, ctx.setup.processes, micro_batch)
    for samples in batches.sizes:
        plan.check(samples)
    updater = Updater(ctx.setup, plan, method, optimizer, span, key(ctx.seed, ctx.stage))
    augment = Augment(o.views, data.shape[-1], data.mean, data.std)
    images, labels = data.images.to(ctx.device), data.labels.to(ctx.device)
    loop = Loop(ctx, batches.total, {"method": method, "optimizer": optimizer}, o.batch.size)
    every = max(1, batches.total // LOGGED)

    def views(own: Tensor) -> Tensor:
        return augment(images[own], key(ctx.seed, ctx.stage, "views", batches.epoch(step)), own)

    for step in loop:
        index = batches[step].to(ctx.device)
        lr = o.optimizer.lr * optim.factor(o.schedule, step, batches.per_epoch, o.epochs)
        optim.set_lr(optimizer, lr)
        loss, embedded = updater.step(step, views, labels[index], index)
        method.after_step(step, batches.total)
        if step % every == 0 or step == batches.total - 1:
            loop.log(loss=loss, lr=lr, spread=_checked_spread(embedded, step))
    ctx.deviations += updater.plan.deviations(batches.sizes)
    loop.notes |= {"plan": updater.plan.describe(), **updater.notes}
    return loop


def spread(x: Tensor) -> Tensor:
    """x (n, …, d) -> how widely the directions of the rows spread over samples: 1 if uniform, 0 if all equal.

    The root of the mean squared distance from the mean direction (the criterion of Chen and He 2021, section
    4.1, times the root of d).
    """
    return unit(x).flatten(1, -2).var(0, unbiased=False).sum(-1).mean().sqrt()


def _checked_spread(embedded: dict[str, Tensor], step: int) -> float:
    spreads = {name: float(spread(x)) for name, x in embedded.items()}
    if collapsed := [name for name, value in spreads.items() if value < 1e-4]:
        raise Collapse(f"all samples have the same `{collapsed[0]}` at step {step + 1}")
    return min(spreads.values())
