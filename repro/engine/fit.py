"""Training a method on a data set: what the stages that train share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from repro.data.table import Table
from repro.engine import optim, replicas
from repro.engine.abandon import Interrupted
from repro.engine.batches import Course, Training, course
from repro.engine.compiling import trial
from repro.engine.features import extract
from repro.engine.loop import Collapse, Loop
from repro.engine.method import Method, call, unit
from repro.engine.plan import batch_plan
from repro.engine.signature import check_hooks
from repro.engine.stage import Context
from repro.engine.streams import Stream, Streams
from repro.engine.update import Updater
from repro.keys import key
from repro.networks import batchnorm, dropout
from repro.networks.build import meet
from repro.networks.layout import channels_last

LOGGED = 200  # points of the curve in a whole run


def fit(ctx: Context, method: Method, data: Table, o: Training, micro_batch: int | None = None) -> Loop:
    """Minimises the method's loss over the recipe's epochs or steps. Returns the finished loop with its curve.

    At most `micro_batch` rows go through the network at once; fewer, when the memory turns out too small.
    The curve has `loss`, `lr`, `embedding_std` (see there), and what else the loss measures. Raises Collapse when the
    loss is not finite or all guarded embeddings have become equal, and UserError when a batch is too small for the
    method or the processes, or the method asks for what there is not.
    """
    updater, batches = _prepared(ctx, method, data, o, micro_batch)
    rates = {"optimizer": updater.optimizer}
    rates |= {f"turn{i}": optimizer for i, (optimizer, _) in enumerate(updater.turns, 1)}
    loop = Loop(ctx, batches.total, {"method": method, **rates}, batches.mean_size, replica=method)
    updater.stop = loop.interruption
    if ctx.setup.processes > 1:
        replicas.broadcast(method)
    further = [Stream.of(ctx, name, options, o.batch.size) for name, options in (o.streams or {}).items()]
    every = max(1, batches.total // LOGGED)
    compiling = trial(ctx.setup, method, batches.total - loop.step, loop.notes)
    with Streams(ctx, data, batches, o.views, updater, further) as streams:
        for step in loop:
            next(compiling, None)
            views, facts = streams.inputs(step), streams.facts(step)
            rate = rate_at(o, batches, step)
            for optimizer in rates.values():
                optim.set_rate(optimizer, rate)
            when = moment(batches, step)
            undo = undoing(method)
            updater.masks.begin(key(ctx.seed, ctx.stage, "hooks", step), 0, 1, ctx.device)
            call(method.before_step, {**when, "features": partial(features_of, ctx, method, data, o.views)})
            try:
                loss, embedded = updater.step(step, views, facts, when)
            except Interrupted as reason:
                undo()
                loop.stop(str(reason))
            call(method.after_step, {**when, **embedded, **facts})
            if step % every == 0 or step == batches.total - 1:
                measured = {**updater.measured, "loss": loss, "lr": o.optimizer.lr * rate}
                loop.log(**measured, **_checked_std(method, embedded, step, batches.group))
    ctx.note(updater.deviations())
    loop.notes |= {"plan": updater.plan.describe(), **updater.notes}
    return loop


def moment(batches: Course, step: int) -> dict[str, int]:
    """What hooks, `embed` and `loss` may ask of how far the run is."""
    per_epoch, total = batches.per_epoch, batches.total
    epochs = -(-total // per_epoch)
    return {
        "step": step,
        "total": total,
        "epoch": batches.epoch(step),
        "epochs": epochs,
        "per_epoch": per_epoch,
    }


def rate_at(o: Training, batches: Course, step: int) -> float:
    """The factor on the learning rate; a stage whose length is given in steps counts its schedule in steps, too."""
    if o.steps:
        return optim.factor(o.schedule, step, 1, o.steps)
    return optim.factor(o.schedule, step, batches.per_epoch, o.epochs or 0)


def features_of(ctx: Context, method: Method, data: Table, views: Any) -> Tensor:
    """The encoder's features (n, dim) of the whole set at present, in eval mode and without augmentation."""
    method.eval()
    return extract(ctx, method.encoder, data, views)


def _prepared(
    ctx: Context, method: Method, data: Table, o: Training, micro_batch: int | None
) -> tuple[Updater, Course]:
    """The method on its device, with its layers converted; what updates it, checked; and the batches."""
    channels_last(method.to(ctx.device))
    method.apart = o.batch.bn_views == "apart"
    check_hooks(method)
    meet(method, data)
    torch.manual_seed(key(ctx.seed, ctx.stage, "begin"))
    call(method.begin, {"samples": len(data), "table": data})
    method.train()
    span = batchnorm.convert(method)
    batches = course(data, o, ctx.seed)
    updater = Updater(
        setup=ctx.setup,
        plan=batch_plan(o.batch, ctx.setup.processes, micro_batch),
        method=method,
        optimizer=optim.build(o.optimizer, optim.groups(o.optimizer, method)),
        span=span,
        seed=key(ctx.seed, ctx.stage),
        max_norm=o.optimizer.max_norm,
        turns=[(optim.build(t, optim.groups(t, method)), t.max_norm) for t in o.turns or ()],
        masks=dropout.convert(method),
        sizes=batches.sizes,
        normalised=span.learning and not batches.group and (method.apart or o.views.count == 1),
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


def embedding_std(x: Tensor) -> Tensor:
    """x (n, d) or (n, …, d) -> the deviation of the directions over the samples: 1 if uniform, 0 if all are equal.

    The root of the mean squared distance from the mean direction: the standard deviation of Chen and He 2021
    (arXiv 2011.10566), section 4.1, times the root of d.
    """
    return unit(x).reshape(len(x), -1, x.shape[-1]).var(0, unbiased=False).sum(-1).mean().sqrt()


def _checked_std(
    method: Method, embedded: dict[str, Tensor], step: int, group: tuple[int, ...] = ()
) -> dict[str, float]:
    """The least `embedding_std` of those results that have features; nothing of fewer than two samples."""
    stds = {}
    for name, x in embedded.items():
        samples = x.flatten(0, len(group)) if x.shape[1 : 1 + len(group)] == group else x
        if x.is_floating_point() and samples.dim() > 1 and len(samples) > 1:
            stds[name] = float(embedding_std(samples))
    for name in stds if method.guarded is None else method.guarded:
        if stds.get(name, 1.0) < 1e-4:
            raise Collapse(f"all samples have the same `{name}` at step {step + 1}")
    return {"embedding_std": min(stds.values())} if stds else {}
