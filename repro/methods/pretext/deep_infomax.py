"""Deep InfoMax with local features, Hjelm et al. 2018 (arXiv 1808.06670), section 3."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method
from repro.methods.pretext.deep_infomax_options import DeepInfoMaxOptions


class DeepInfoMax(Method):
    """Features y must fit the feature map of their own image at every place, and not that of another.

    The Jensen-Shannon estimate of the mutual information (eq. 4) with the local objective (eq. 6): an encoder with a
    `local` part, as `conv4`, gives the map of its first layer. Other images are the next ones of the batch. A further
    discriminator tells y from uniform noise (eq. 7); it and the encoder minimise the same loss, as
    in the code of Patacchiola and Storkey 2020.
    """

    Options = DeepInfoMaxOptions
    least = 2  # an image alone meets no other
    guarded = ("y",)

    def __init__(self, options: Any, encoder: Any, head: nn.Module):
        super().__init__(options, encoder, head)
        h = options.hidden
        self.first = nn.Linear(encoder.dim + encoder.local_dim, h)
        self.others = nn.Sequential(nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        widths = ((encoder.dim, 512), (512, 128), (128, 1))
        self.prior = nn.Sequential(*(layer for pair in widths for layer in (nn.Linear(*pair), nn.ReLU())))[
            :-1
        ]

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, S, S) -> y (n, d), and the map's places (n, P, c)."""
        encoder: Any = self.encoder
        local = encoder.local(views[:, 0])
        return {"y": encoder.rest(local), "local": local.flatten(2).transpose(1, 2)}

    def loss(self, y: Tensor, local: Tensor, draws: Any) -> Tensor:
        """y (N, d), local (N, P, c) -> what is minimised, in nats."""
        o = self.options
        fits, foreign = self._scores(y, local), self._scores(y, local.roll(-1, 0))
        information = -F.softplus(-fits).mean() - F.softplus(foreign).mean()
        noise = draws.uniform("prior", y.shape[1]).to(y)
        prior = F.softplus(-self.prior(noise)).mean() + F.softplus(self.prior(y)).mean()
        return -o.local_weight * information + o.prior_weight * prior

    def _scores(self, y: Tensor, local: Tensor) -> Tensor:
        """The discriminator on [y, place] of every place (N, P): y's part of the first layer is computed once."""
        of_y, of_place = self.first.weight.split([y.shape[1], local.shape[2]], 1)
        return self.others(F.linear(y, of_y, self.first.bias)[:, None] + F.linear(local, of_place))[..., 0]
