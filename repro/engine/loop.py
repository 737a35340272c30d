"""The loop that every iterative stage runs in: it resumes, checkpoints, logs, shows progress, stops in time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from tqdm import tqdm

from repro.engine import checkpoint, replicas, state
from repro.engine.budget import Stopped
from repro.keys import key

if TYPE_CHECKING:
    from repro.engine.stage import Context


class Collapse(Exception):
    """The run cannot give a meaningful result (NaN, or all embeddings equal): stop with the reason."""


class Loop:
    """Iterates over the steps of a stage that are still to do.

        loop = Loop(ctx, total=1000, parts={"model": model, "optimizer": optimizer}, samples=256)
        for step in loop:
            …
            loop.log(loss=loss)

    `parts` are the modules and optimizers that change; `samples` is the number of samples in a step, or its mean, and
    `replica` is what has to be the same on all processes. If a checkpoint is there, the parts are restored and the
    loop goes on after the last saved step. Before each step torch's generator is set from (seed, stage, step), so
    that its draws, too, do not depend on restarts.
    """

    def __init__(
        self,
        ctx: Context,
        total: int,
        parts: Mapping[str, checkpoint.Part],
        samples: float,
        replica: nn.Module | None = None,
    ):
        self.ctx, self.total, self.parts, self.samples, self.replica = ctx, total, parts, samples, replica
        self.step = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []
        self.notes: dict[str, Any] = {}
        self.path: Path = ctx.folder / "checkpoint.safetensors"
        if ctx.setup.agree(self.path.exists()):
            self._restore()
        self._first = self._next_check = self.step
        self._saved = self._asked = time.monotonic()

    def __iter__(self) -> Iterator[int]:
        with self._bar() as bar:
            for step in range(self._first, self.total):
                began = time.perf_counter()
                torch.manual_seed(key(self.ctx.seed, self.ctx.stage, "step", step))
                yield step
                self.step = step + 1
                self.seconds += time.perf_counter() - began
                bar.update(round(self.step * self.samples) - bar.n)
                if self.step < self.total and self.step > self._next_check:
                    self._check()

    def _check(self) -> None:
        """Saves or stops when it is time, as the main process's clock says, so that all processes do the same.

        Several processes look at the clock about twice a second, one at every step.
        """
        setup, each = self.ctx.setup, self.seconds / self.step
        reason = self.ctx.deadline.check(margin=2 * each)
        due = time.monotonic() - self._saved > self.ctx.checkpoint_every
        stride = 0 if setup.processes == 1 else max(0, int(0.5 / each) - 1)
        reason, due, stride = setup.agree((reason, due, stride))
        self._next_check = self.step + stride
        if reason or due:
            self.save()
            self._saved = time.monotonic()
        if reason:
            raise self._stopped(reason)

    def interruption(self) -> str | None:
        """Why to stop in the middle of a step, or None. What follows may take as long as since it was asked last."""
        asked, self._asked = self._asked, time.monotonic()
        return self.ctx.deadline.check(margin=self._asked - asked)

    def stop(self, reason: str) -> None:
        """Gives up the step that is under way: saves those done before, of which none need be, and raises Stopped."""
        self.save()
        raise self._stopped(reason)

    def _stopped(self, reason: str) -> Stopped:
        stuck = "; none was finished this time" if self.step == self._first else ""
        return Stopped(f"{reason}; stage `{self.ctx.stage}` is at step {self.step} of {self.total}{stuck}")

    def log(self, **values: Any) -> None:
        """Notes values of this step in the curve (scalars; tensors are read here, which waits for the device).

        Raises Collapse when the loss is not finite.
        """
        numbers = {k: float(v.detach() if isinstance(v, torch.Tensor) else v) for k, v in values.items()}
        if not math.isfinite(numbers.get("loss", 0.0)):
            raise Collapse(f"the loss became {numbers['loss']} at step {self.step + 1}")
        self.curve.append({"step": self.step + 1, **numbers})
        self.ctx.log(stage=self.ctx.stage, **self.curve[-1])

    def save(self) -> None:
        """Writes the checkpoint of the steps done so far (the main process does).

        Raises Collapse when the processes no longer have the same weights.
        """
        self._check_replicas()
        if not self.ctx.setup.main:
            return
        tensors, facts = checkpoint.packed(self.parts)
        checkpoint.save(
            self.path,
            tensors,
            {
                "of": state.place(self.path),
                "step": self.step,
                "seconds": self.seconds,
                "curve": self.curve,
                "deviations": [d.model_dump() for d in self.ctx.deviations],
                "parts": facts,
            },
        )

    def _check_replicas(self) -> None:
        if self.ctx.setup.processes == 1 or self.replica is None:
            return
        if ranks := replicas.drifted(self.replica):
            raise Collapse(
                f"the weights of process {ranks[0]} are no longer those of process 0 at step {self.step}; "
                "the last checkpoint is unharmed"
            )

    @property
    def facts(self) -> dict[str, Any]:
        """Steps, and samples per second over all of them, also those before a restart; and what was noted."""
        speed = self.step * self.samples / self.seconds if self.seconds else 0.0
        return {"steps": self.step, "samples_per_second": round(speed, 2), **self.notes}

    def _restore(self) -> None:
        tensors, facts = checkpoint.load(self.path)
        known = state.typed(self.path, facts, state.Progress)
        if problem := known.problem(self.total):
            raise state.damaged(self.path, problem)
        checkpoint.unpack(self.parts, tensors, known.parts)
        self.step, self.seconds, self.curve = known.step, known.seconds, known.curve
        self.ctx.note(known.deviations)

    def _bar(self) -> tqdm:
        return tqdm(
            total=round(self.total * self.samples),
            initial=round(self._first * self.samples),
            desc=f"{self.ctx.recipe.id} {self.ctx.stage}",
            unit="sample",
            unit_scale=True,
            dynamic_ncols=True,
            mininterval=self.ctx.progress_every,
            disable=not (self.ctx.progress_every and self.ctx.setup.main),
        )
