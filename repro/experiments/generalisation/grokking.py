"""Grokking on tables of binary operations: Power et al. 2022 (arXiv 2201.02177)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine import optim
from repro.engine.batches import Batches
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.generalisation.grokking_options import GrokkingOptions
from repro.keys import key, permutation
from repro.networks.transformer import Transformer
from repro.pictures import plot

CHUNK = 1024  # equations at a time in evaluation


class Grokking(Stage):
    """Trains a transformer to complete "a ∘ b =" on a random `share` of an operation's table.

    Every element is a token, as are ∘ and =; the loss is the cross-entropy of the answer. A batch has `batch`
    equations, or half of the training set where that is less; the rate rises linearly over the first `warmup`
    steps. Accuracy on all training and all other equations is taken at the end and before that at every step that
    is a multiple of `every` and, beyond 1,000, has no more than two digits that are not zero.

    Metrics: `train_steps` and `val_steps`, when accuracy is first at least 99 % (the run's length if it never
    is), and `delay`, val_steps/train_steps; in % the accuracies `train` and `val` at the end, and `best_val`. The
    picture accuracy.svg shows both against the steps.
    """

    Options = GrokkingOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        tokens, answers = (t.to(ctx.device) for t in table(o.operation, o.modulus))
        order = permutation(key(ctx.seed, ctx.stage, "split"), len(answers)).to(ctx.device)
        train, val = order.tensor_split([round(o.share * len(order))])
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        model = Transformer(o.modulus + 2, tokens.shape[1], o.width, o.layers, o.heads).to(ctx.device)
        optimizer = optim.build(o.optimizer, model.parameters())
        size = min(o.batch, math.ceil(len(train) / 2))
        batches = Batches(len(train), size, 1, False, key(ctx.seed, ctx.stage))
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, size)
        for step in loop:
            rows = train[batches[step].to(ctx.device)]
            optimizer.param_groups[0]["lr"] = o.optimizer.lr * min(1.0, (step + 1) / max(1, o.warmup))
            loss = F.cross_entropy(model(tokens[rows]), answers[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % stride(step + 1, o.every) == 0 or step + 1 == o.steps:
                seen, unseen = (accuracy(model, tokens[part], answers[part]) for part in (train, val))
                loop.log(loss=loss, train=seen, val=unseen)
        curve = loop.curve
        reached = {name: first(curve, name, 99.0, o.steps) for name in ("train", "val")}
        if ctx.setup.main:
            steps = [point["step"] for point in curve]
            curves = {name: (steps, [point[name] for point in curve]) for name in ("train", "val")}
            plot(ctx.picture("accuracy.svg"), curves, "optimization steps", "accuracy in %", log="x")
        metrics = {f"{name}_steps": at for name, at in reached.items()}
        metrics |= {"delay": reached["val"] / reached["train"], "train": curve[-1]["train"]}
        metrics |= {"val": curve[-1]["val"], "best_val": max(point["val"] for point in curve)}
        return Outcome(metrics, curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"modulus": 7, "width": 16, "steps": 20, "every": 5})


def table(operation: str, p: int) -> tuple[Tensor, Tensor]:
    """All equations a ∘ b = c modulo p: tokens (n, 4) of "a ∘ b =" and answers (n,); b ≠ 0 in a division."""
    b = torch.arange(1 if operation == "division" else 0, p)
    first, second = torch.cartesian_prod(torch.arange(p), b).T
    if operation == "division":  # of first · second by second
        a, c = first * second % p, first
    else:
        a, c = first, (first + (second if operation == "addition" else -second)) % p
    circle, equals = torch.full_like(a, p), torch.full_like(a, p + 1)
    return torch.stack([a, circle, second, equals], 1), c


def stride(step: int, least: int) -> int:
    """Steps between evaluations: `least` at first, then one in the second digit, 90 for each power of ten."""
    return max(least, 10 ** (len(str(step)) - 2))


@torch.no_grad()
def accuracy(model: Transformer, tokens: Tensor, answers: Tensor) -> float:
    """The share of right answers in %."""
    parts = zip(tokens.split(CHUNK), answers.split(CHUNK), strict=True)
    right = sum((model(some).argmax(1) == true).sum() for some, true in parts)
    return 100 * int(right) / len(answers)


def first(curve: list[dict[str, float]], name: str, threshold: float, otherwise: int) -> float:
    """The step at which the curve is first at or above the threshold."""
    return next((point["step"] for point in curve if point[name] >= threshold), otherwise)
