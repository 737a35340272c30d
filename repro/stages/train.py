"""Training a network with one of the methods."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro import components
from repro.engine import checkpoint, optim
from repro.engine.batches import Batches
from repro.engine.keys import key
from repro.engine.loop import Collapse, Loop
from repro.engine.method import call, unit
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import build
from repro.options import (
    BackboneSpec,
    Batch,
    MethodSpec,
    Optimizer,
    PositiveInt,
    Schedule,
    StageOptions,
    ViewsSpec,
)
from repro.views.augment import Augment

LOGGED = 200  # points of the curve in a whole run


class Train(Stage):
    """Minimises the method's loss over `epochs` passes; the last weights are the result.

    Metrics: `loss` of the last batch; `spread`, how far the embeddings are from collapse (see `spread`).
    """

    class Options(StageOptions):
        method: MethodSpec
        network: BackboneSpec
        views: ViewsSpec
        epochs: PositiveInt
        batch: Batch
        optimizer: Optimizer
        schedule: Schedule = Schedule()
        split: str = "train"

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data = ctx.data(o.split)
        augment = Augment(o.views, o.views.size or data.images.shape[-1], data.mean, data.std)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        network = build(o.network, data, o.views.size)
        method = components.load(("methods",), o.method.name)(o.method, *network)
        method.to(ctx.device, memory_format=torch.channels_last)
        optimizer = optim.build(o.optimizer, method.parameters())
        batches = Batches(len(data.images), o.batch.size, o.epochs, o.batch.drop_last, ctx.seed)
        images, labels = data.images.to(ctx.device), data.labels.to(ctx.device)
        loop = Loop(ctx, batches.total, {"method": method, "optimizer": optimizer}, o.batch.size)
        every = max(1, batches.total // LOGGED)
        for step in loop:
            index = batches[step].to(ctx.device)
            views = augment(images[index], key(ctx.seed, ctx.stage, "views", batches.epoch(step)), index)
            lr = o.optimizer.lr * optim.factor(o.schedule, step, batches.per_epoch, o.epochs)
            optim.set_lr(optimizer, lr)
            loss, embedded = update(ctx, method, optimizer, views, labels[index], index)
            method.after_step(step, batches.total)
            if step % every == 0 or step == batches.total - 1:
                self._log(loop, loss, embedded, lr)
        checkpoint.save(ctx.folder / "output.safetensors", checkpoint.packed({"": method})[0], {})
        last = loop.curve[-1]
        return Outcome(
            {"loss": last["loss"], "spread": last["spread"]},
            loop.curve,
            {"steps": batches.total, "samples_per_second": loop.throughput},
        )

    @staticmethod
    def _log(loop: Loop, loss: Tensor, embedded: dict[str, Tensor], lr: float) -> None:
        spreads = {name: float(spread(x)) for name, x in embedded.items()}
        if collapsed := [name for name, value in spreads.items() if value < 1e-4]:
            raise Collapse(f"all samples have the same `{collapsed[0]}` at step {loop.step + 1}")
        loop.log(loss=loss, lr=lr, spread=min(spreads.values()))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = min(options.batch.size, 8)
        return options.model_copy(
            update={
                "epochs": 1,
                "batch": options.batch.model_copy(update={"size": small, "bn_span": None}),
                "schedule": options.schedule.model_copy(update={"warmup_epochs": 0}),
            }
        )


def update(
    ctx: Context, method: Any, optimizer: torch.optim.Optimizer, views: Tensor, label: Tensor, index: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """One step: embed every sample, the loss over the batch, the gradient, the update.

    views (n, V, C, H, W), label (n,), index (n,) -> the loss and the embeddings, detached. The loss is
    computed in float32 whatever the precision of the network.
    """
    facts = {"views": views, "label": label, "index": index}
    method.train()
    with ctx.setup.accelerator.autocast():
        embedded = call(method.embed, facts)
    embedded = {name: x.float() for name, x in embedded.items()}
    loss = call(method.loss, embedded | facts)
    optimizer.zero_grad(set_to_none=True)
    ctx.setup.accelerator.backward(loss)
    optimizer.step()
    return loss.detach(), {name: x.detach() for name, x in embedded.items()}


def spread(x: Tensor) -> Tensor:
    """x (n, …, d) -> how widely the directions of the rows spread over samples: 1 if uniform, 0 if all equal.

    The root of the mean squared distance from the mean direction (the criterion of Chen and He 2021, section
    4.1, times the root of d).
    """
    return unit(x).flatten(1, -2).var(0, unbiased=False).sum(-1).mean().sqrt()
