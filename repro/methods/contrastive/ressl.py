"""ReSSL, Zheng et al. 2021 (arXiv 2107.09282)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.contrastive.ressl_options import ReSSLOptions
from repro.methods.parts.memory import Queue
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay


class ReSSL(Method):
    """A sample must relate to a queue of others as the teacher, a momentum encoder, says it does (section 3).

    View 1, strongly augmented, goes to the student; view 2, weakly augmented, to the teacher: the recipe's
    views need an `each`.
    """

    Options = ReSSLOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.teacher = MomentumEncoder(encoder, head)
        self.queue = Queue(options.queue, head.dim)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> the student's z and the teacher's t (n, d), on the unit sphere."""
        t = self.through(views[:, 1:], *self.teacher)
        z = self.project(views if self.options.both_views else views[:, :1])
        return {"z": unit(z[:, 0]), "t": unit(t[:, 0])}

    def loss(self, z: Tensor, t: Tensor) -> Tensor:
        """z, t (N, d) -> cross-entropy, in nats, of the softmax over the queue: the student's under the teacher's."""
        teacher = (t.detach() @ self.queue.rows.T / self.options.teacher_temperature).softmax(1)
        return F.cross_entropy(z @ self.queue.rows.T / self.options.temperature, teacher)

    def after_step(self, t: Tensor, step: int, total: int) -> None:
        self.queue.push(t)
        self.teacher.update(self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total))
