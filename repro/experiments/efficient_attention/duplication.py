"""The duplication task, with full attention and with hashing: Kitaev et al. 2020 (arXiv 2001.04451), Table 2."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine import optim
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.efficient_attention.duplication_options import DuplicationOptions
from repro.keys import generator, key
from repro.networks.reformer import Reformer

LOGGED = 50  # points of the curve in a whole run
AT_ONCE = 16  # sequences to evaluate at a time


class Duplication(Stage):
    """Trains a Reformer on sequences 0 w 0 w and evaluates it with each kind of attention.

    w has `word` symbols of 1..`symbols`, drawn anew at each step; the loss is that of the second w, and so is
    the accuracy. The model hashes in `hashes` rounds, 0 being full attention, with new rotations at each step;
    in evaluation, on `sequences` fresh sequences, with new rotations for every 16 of them. There are
    2L/`chunk` buckets for the length L = 2 `word` + 2. The rate rises for `warmup` steps and then falls as
    1/√step.

    Metrics, in per cent of symbols: `full` and `lsh<n>` for n rounds, for each of `evaluate`.
    """

    Options = DuplicationOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        model = Reformer(o.symbols + 1, 2 * o.word + 2, o.width, o.hidden, o.heads, o.layers, o.chunk)
        model.to(ctx.device)
        optimizer = optim.build(o.optimizer, model.parameters())
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, o.batch)
        every = max(1, o.steps // LOGGED)
        for step in loop:
            rate = o.optimizer.lr * min((step + 1) / o.warmup, math.sqrt(o.warmup / (step + 1)))
            for group in optimizer.param_groups:
                group["lr"] = rate
            model.rehash(o.hashes)
            tokens = duplicated(o.batch, o.word, o.symbols).to(ctx.device)
            loss = F.cross_entropy(logits(model, tokens, o.word).mT, tokens[:, -o.word :])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % every == 0:
                loop.log(loss=loss)
        metrics = {f"lsh{n}" if n else "full": self._accuracy(ctx, model, n) for n in o.evaluate}
        return Outcome(metrics, loop.curve, loop.facts)

    @torch.no_grad()
    def _accuracy(self, ctx: Context, model: Reformer, hashes: int) -> float:
        """Per cent of the second words' symbols that the model gets right; the sequences are always the same."""
        o, right = self.options, 0
        words, hashing = (generator(key(ctx.seed, ctx.stage, "evaluate", part)) for part in ("w", "hashes"))
        for some in duplicated(o.sequences, o.word, o.symbols, words).to(ctx.device).split(AT_ONCE):
            model.rehash(hashes, hashing)
            right += int((logits(model, some, o.word).argmax(-1) == some[:, -o.word :]).sum())
        return 100 * right / (o.sequences * o.word)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"word": 7, "chunk": 4, "width": 16, "hidden": 16, "heads": 2, "symbols": 5}
        return options.model_copy(update={**small, "batch": 4, "steps": 3, "warmup": 2, "sequences": 4})


def duplicated(n: int, word: int, symbols: int, random: torch.Generator | None = None) -> Tensor:
    """Sequences 0 w 0 w (n, 2 word + 2) with the symbols of w drawn from 1..symbols."""
    w = torch.randint(1, symbols + 1, (n, word), generator=random)
    zero = torch.zeros(n, 1, dtype=torch.long)
    return torch.cat([zero, w, zero, w], 1)


def logits(model: Reformer, tokens: Tensor, word: int) -> Tensor:
    """What the model says of each symbol of the second w (n, word, symbols + 1), having seen those before it."""
    said: Tensor = model(F.pad(tokens[:, :-1], (1, 0)))
    return said[:, -word:]
