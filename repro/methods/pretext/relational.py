"""Self-supervised relational reasoning, Patacchiola and Storkey 2020 (arXiv 2006.05849), section 3."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method
from repro.methods.pretext.relational_options import RelationalOptions


class Relational(Method):
    """A small head tells whether two features, side by side, come from views of the same image.

    All pairs of an image's K views are positives; for each, the second feature is exchanged for that of another
    image: the batch is rolled, by one place more for each pair of views, as in the authors' code.
    """

    Options = RelationalOptions
    least = 2  # an image alone meets no other

    def __init__(self, options: Any, encoder: Any, head: Any):
        super().__init__(options, encoder, head)
        self.relation = nn.Sequential(
            nn.Linear(2 * head.dim, options.hidden),
            PairNorm(options.hidden),
            nn.LeakyReLU(),
            nn.Linear(options.hidden, 1),
        )

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, K, C, H, W) -> z (n, K, d)."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        """z (N, K, d) -> binary cross-entropy in nats per pair, and the share of pairs that are told rightly."""
        pairs, same = relation_pairs(z)
        score = self.relation(pairs)[:, 0]
        each = F.binary_cross_entropy_with_logits(score, same, reduction="none")
        focal = (
            1 - (-each).exp()
        ) ** self.options.focusing  # exp(−each) is the probability of the right answer
        accuracy = ((score > 0) == (same > 0)).to(z.dtype).mean()
        return {"loss": (focal * each).mean(), "accuracy": accuracy}


def relation_pairs(z: Tensor) -> tuple[Tensor, Tensor]:
    """z (N, K, d) -> pairs (N K (K − 1), 2 d), and 1 for those of one image, 0 for those of two."""
    pairs, shift = [], 0
    for i, j in combinations(range(z.shape[1]), 2):
        shift = shift % (len(z) - 1) + 1  # 1 … N − 1, never an image with itself
        pairs += [torch.cat([z[:, i], z[:, j]], 1), torch.cat([z[:, i], z[:, j].roll(shift, 0)], 1)]
    same = z.new_tensor([1.0, 0.0]).repeat(len(pairs) // 2).repeat_interleave(len(z))
    return torch.cat(pairs), same


class PairNorm(nn.Module):
    """x (m, width) -> BatchNorm over all pairs of the batch, which are made in the loss of the whole batch.

    There it needs neither the span of the images' BatchNorm nor running statistics.
    """

    def __init__(self, width: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True)
