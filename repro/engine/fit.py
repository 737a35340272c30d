"""Training a method on a data set: what the stages that train share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from repro.data.images import ImageSet
from repro.engine import optim, replicas
from repro.engine.abandon import Interrupted
from repro.engine.batches import Batches
from repro.engine.compiling import trial
from repro.engine.keys import key
from repro.engine.loop import Collapse, Loop
from repro.engine.method import Method, call, unit
from repro.engine.plan import batch_plan
from repro.engine.signature import check_hooks
from repro.engine.stage import Context
from repro.engine.update import Updater
from repro.networks import batchnorm, dropout
from repro.networks.layout import channels_last
from repro.options import Batch, Optimizer, Schedule, Views
from repro.views.feed import feed

LOGGED = 200  # points of the curve in a whole run


class Training(Protocol):
    """The options that `fit` needs of a stage: those of `options.TrainingOptions`, and views."""

    views: Views
    epochs: int
    batch: Batch
    optimizer: Optimizer
    schedule: Schedule


def fit(ctx: Context, method: Method, data: ImageSet, o: Training, micro_batch: int | None = None) -> Loop:
    """Minimises the method's loss over the recipe's epochs. Returns the finished loop with its curve.

    At most `micro_batch` samples go through the network at once; fewer, when the memory turns out too small.
    The curve has `loss`, `lr` and `spread` (see `spread`). Raises Collapse when the loss is not finite or all
    guarded embeddings have become equal, and UserError when a batch is too small for the method or the processes, or
    the method asks for what there is not.
    """
    updater, batches = _prepared(ctx, method, data, o, micro_batch)
    optimizer = updater.optimizer
    loop = Loop(
        ctx, batches.total, {"method": method, "optimizer": optimizer}, batches.mean_size, replica=method
    )
    updater.stop = loop.interruption
    if ctx.setup.processes > 1:
        replicas.broadcast(method)

    def upcoming(step: int) -> tuple[Tensor, int]:
        """The samples of a step that this process makes views of, and the key of their draws."""
        index = batches[step]
        return index[updater.needed(step, len(index))], key(ctx.seed, ctx.stage, "views", batches.epoch(step))

    labels = data.labels.to(ctx.device)
    every = max(1, batches.total // LOGGED)
    compiling = trial(ctx.setup, method, batches.total - loop.step, loop.notes)
    with closing(feed(data, o.views, ctx.device, upcoming, batches.total)) as source:
        for step in loop:
            next(compiling, None)
            index = batches[step].to(ctx.device)
            views = source(step)
            rate = optim.factor(o.schedule, step, batches.per_epoch, o.epochs)
            optim.set_rate(optimizer, rate)
            when = {"step": step, "total": batches.total, "epoch": batches.epoch(step), "epochs": o.epochs}
            when["per_epoch"] = batches.per_epoch
            undo = undoing(method)
            updater.masks.begin(key(ctx.seed, ctx.stage, "hooks", step), 0, 1, ctx.device)
            call(method.before_step, when)
            try:
                loss, embedded = updater.step(step, views, labels[index], index)
            except Interrupted as reason:
                undo()
                loop.stop(str(reason))
            call(method.after_step, {**when, **embedded, "label": labels[index], "index": index})
            if step % every == 0 or step == batches.total - 1:
                loop.log(loss=loss, lr=o.optimizer.lr * rate, **_checked_spread(method, embedded, step))
    ctx.note(updater.deviations())
    loop.notes |= {"plan": updater.plan.describe(), **updater.notes}
    return loop


def _prepared(
    ctx: Context, method: Method, data: ImageSet, o: Training, micro_batch: int | None
) -> tuple[Updater, Batches]:
    """The method on its device, with its layers converted; what updates it, checked; and the batches."""
    channels_last(method.to(ctx.device))
    method.apart = o.batch.bn_views == "apart"
    check_hooks(method)
    torch.manual_seed(key(ctx.seed, ctx.stage, "begin"))
    method.begin(len(data))
    method.train()
    span = batchnorm.convert(method)
    batches = Batches(len(data), o.batch.size, o.epochs, o.batch.drop_last, ctx.seed)
    updater = Updater(
        setup=ctx.setup,
        plan=batch_plan(o.batch, ctx.setup.processes, micro_batch),
        method=method,
        optimizer=optim.build(o.optimizer, optim.groups(o.optimizer, method)),
        span=span,
        seed=key(ctx.seed, ctx.stage),
        max_norm=o.optimizer.max_norm,
        masks=dropout.convert(method),
        sizes=batches.sizes,
        normalised=span.learning and (method.apart or o.views.count == 1),
    )
    updater.check()
    for samples in batches.sizes:
        method.check(samples)
    ctx.note(updater.deviations())
    return updater, batches


def undoing(method: Method) -> Callable[[], object]:
    """Gives what puts the method back to where it is now, before its hook: a step may be given up."""
    if type(method).before_step is Method.before_step:
        return lambda: None
    state = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    return partial(method.load_state_dict, state)


def spread(x: Tensor) -> Tensor:
    """x (n, d) or (n, …, d) -> how widely the directions spread over the samples: 1 if uniform, 0 if all equal.

    The root of the mean squared distance from the mean direction (the criterion of Chen and He 2021, section
    4.1, times the root of d).
    """
    return unit(x).reshape(len(x), -1, x.shape[-1]).var(0, unbiased=False).sum(-1).mean().sqrt()


def _checked_spread(method: Method, embedded: dict[str, Tensor], step: int) -> dict[str, float]:
    """The least spread of those results that have features, as `spread`; nothing of fewer than two samples."""
    features = {
        name: x for name, x in embedded.items() if x.is_floating_point() and x.dim() > 1 and len(x) > 1
    }
    spreads = {name: float(spread(x)) for name, x in features.items()}
    for name in spreads if method.guarded is None else method.guarded:
        if spreads.get(name, 1.0) < 1e-4:
            raise Collapse(f"all samples have the same `{name}` at step {step + 1}")
    return {"spread": min(spreads.values())} if spreads else {}
