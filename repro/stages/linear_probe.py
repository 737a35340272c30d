"""The linear evaluation protocol: a linear classifier on the features of a frozen encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from repro.engine import optim
from repro.engine.batches import Batches
from repro.engine.features import accuracy, extract, frozen
from repro.engine.keys import key
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import trained
from repro.options import Batch, Optimizer, PositiveInt, Schedule, StageOptions, Views, ViewsSpec
from repro.views.augment import Augment


class LinearProbe(Stage):
    """Trains the classifier on augmented training images and tests it once, after the last epoch.

    Metrics: `top1`, `top5`, percent of the test split.
    """

    class Options(StageOptions):
        of: str
        epochs: PositiveInt
        batch: Batch
        optimizer: Optimizer
        schedule: Schedule = Schedule()
        views: ViewsSpec = Views()

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data, test = ctx.data("train"), ctx.data("test")
        encoder = trained(ctx, o.of, data).encoder
        size = o.views.size or data.images.shape[-1]
        augment = Augment(o.views, size, data.mean, data.std)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        classifier = nn.Linear(encoder.dim, data.classes).to(ctx.device)
        optimizer = optim.build(o.optimizer, classifier.parameters())
        batches = Batches(len(data.images), o.batch.size, o.epochs, o.batch.drop_last, ctx.seed)
        images, labels = data.images.to(ctx.device), data.labels.to(ctx.device)
        loop = Loop(ctx, batches.total, {"classifier": classifier, "optimizer": optimizer}, o.batch.size)
        every = max(1, batches.total // 100)
        with frozen(encoder):
            for step in loop:
                index = batches[step].to(ctx.device)
                views = augment(images[index], key(ctx.seed, ctx.stage, "views", batches.epoch(step)), index)
                with torch.no_grad(), ctx.setup.accelerator.autocast():
                    features = encoder(views.flatten(0, 1)).float()
                lr = o.optimizer.lr * optim.factor(o.schedule, step, batches.per_epoch, o.epochs)
                optim.set_lr(optimizer, lr)
                target = labels[index].repeat_interleave(views.shape[1])
                loss = F.cross_entropy(classifier(features), target)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if step % every == 0 or step == batches.total - 1:
                    loop.log(loss=loss.detach(), lr=lr)
            logits = classifier(extract(ctx, encoder, test, o.views))
        metrics = accuracy(logits.cpu(), test.labels)
        return Outcome(metrics, loop.curve, {"steps": batches.total, "samples_per_second": loop.throughput})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = options.batch.model_copy(update={"size": min(options.batch.size, 8)})
        return options.model_copy(update={"epochs": 1, "batch": small})
