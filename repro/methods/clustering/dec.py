"""Deep embedded clustering, Xie et al. 2015 (arXiv 1511.06335)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

from repro.engine.method import Method, exact
from repro.errors import UserError
from repro.methods.clustering.dec_options import DECOptions
from repro.networks.heads.centres import Centres


class DEC(Method):
    """Soft assignments to centres learn from their own sharper form, as do the centres and the encoder.

    k-means on the features of the encoder that it starts from gives the first centres (section 3.3.2); the target
    is computed anew, from the whole set, every `interval` steps.
    """

    Options = DECOptions
    guarded = ()
    head: Any
    target: Tensor

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        if not isinstance(head, Centres):
            raise UserError("method `dec` needs `head: {kind: centres, clusters: …}` in its network.")

    def begin(self, samples: int) -> None:
        """Makes room for the target distribution."""
        shape = samples, self.head.dim
        self.register_buffer("target", next(self.parameters()).new_zeros(shape))

    @torch.no_grad()
    def before_step(self, step: int, features: Callable[[], Tensor]) -> None:
        if step % self.options.interval:
            return
        z = features().to(self.target.dtype)
        if step == 0:
            seed = int(torch.randint(2**31, ()))  # keyed, as all that a hook draws
            found = KMeans(self.head.dim, n_init=self.options.starts, random_state=seed).fit(z.cpu().numpy())
            self.head.centres.copy_(torch.from_numpy(found.cluster_centers_))
        self.target.copy_(sharpened(self.head(z)))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> q (n, K)."""
        return {"q": self.head(exact(self.encoder(views[:, 0])))}

    def loss(self, q: Tensor, index: Tensor) -> Tensor:
        """q (N, K), index (N,) -> KL(P ‖ Q) in nats, the mean over samples (equation 2)."""
        p = self.target[index]
        return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).mean()


def sharpened(q: Tensor) -> Tensor:
    """q (n, K) -> the target p (n, K): q² over the size of the cluster, normalised (equation 3)."""
    weight = q.square() / q.sum(0)
    return weight / weight.sum(1, keepdim=True)
