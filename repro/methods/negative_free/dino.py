"""DINO, Caron et al. 2021 (arXiv 2104.14294)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.negative_free.dino_options import DINOOptions
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.methods.parts.prototypes import WeightNormed, swapped


class DINO(Method):
    """All other views of a sample predict the centred and sharpened output of a teacher for a global view.

    The recipe's head ends in the bottleneck; its normalised output meets `prototypes` unit vectors, the paper's
    weight-normalised last layer, at rest for `freeze_epochs`. The teacher follows (section 3.1). Its temperature goes
    linearly, epoch by epoch, from `teacher_start` to `teacher_temperature`, which the last of
    `teacher_warmup_epochs` has. With `leaves: teacher` later stages get the teacher's encoder and head, as is usual.
    """

    Options = DINOOptions

    centre: Tensor
    temperature: Tensor

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.prototypes = WeightNormed(options.prototypes, head.dim)
        self.teacher = MomentumEncoder(encoder, head, self.prototypes)
        self.register_buffer("centre", torch.zeros(options.prototypes))
        self.register_buffer("temperature", torch.tensor(float(options.teacher_temperature)))

    def embed(self, views: Tensor, local: Tensor | None = None) -> dict[str, Tensor]:
        """views (n, 2, C, H, W), local (n, L, C, h, w) -> unit z (n, 2 + L, d) and the teacher's t (n, 2, d)."""
        encoder, head, _ = self.teacher
        return {"z": unit(self.project_crops(views, local)), "t": unit(self.through(views, encoder, head))}

    def before_step(self, epoch: int) -> None:
        o = self.options
        self.prototypes.requires_grad_(epoch >= o.freeze_epochs)
        end, start = o.teacher_temperature, o.teacher_start or o.teacher_temperature
        warm = epoch / max(1, o.teacher_warmup_epochs - 1) if epoch < o.teacher_warmup_epochs else 1.0
        self.temperature.fill_(start + (end - start) * warm)

    def loss(self, z: Tensor, t: Tensor) -> Tensor:
        """z (N, 2 + L, d), t (N, 2, d) of the whole batch -> eq. 3 in nats, the mean over the pairs of views."""
        targets = ((self._teacher_scores(t) - self.centre) / self.temperature).softmax(-1)
        log_p = (self.prototypes(z) / self.options.student_temperature).log_softmax(-1)
        return swapped(targets, log_p)

    def after_step(self, t: Tensor, step: int, total: int) -> None:
        """The centre learns from this batch's outputs (eq. 4), then the teacher follows."""
        self.centre.lerp_(self._teacher_scores(t).mean((0, 1)), 1 - self.options.centre_momentum)
        keep = ema_decay(self.options.momentum, step, total)
        self.teacher.update(self.encoder, self.head, self.prototypes, decay=keep)

    def end(self) -> None:
        if self.options.leaves == "teacher":
            self.teacher.hand_over(self.encoder, self.head)

    def _teacher_scores(self, t: Tensor) -> Tensor:
        """t (N, 2, d) -> the teacher's outputs (N, 2, K), without gradient."""
        return self.teacher.networks[2](t.detach())
