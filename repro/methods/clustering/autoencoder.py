"""The stacked denoising autoencoder as Xie et al. 2015 (arXiv 1511.06335), section 3.3.1, train it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, exact
from repro.errors import UserError
from repro.methods.clustering.autoencoder_options import AutoencoderOptions


class Autoencoder(Method):
    """The head, a perceptron that mirrors the encoder's, gives back the images from their features.

    With `layer`, only one layer of the encoder and its counterpart learn, to give back what the layers before make of
    the images, through dropout; stages that `start` from each other so train the layers one by one, and then all.
    """

    Options = AutoencoderOptions
    guarded = ()

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.drop = nn.ModuleList(nn.Dropout(options.dropout or 0.0) for _ in range(2))
        self.down, self.up = (
            [m for m in part.modules() if isinstance(m, nn.Linear)] for part in (encoder, head)
        )
        pairs = zip(self.down, reversed(self.up), strict=False)
        if len(self.down) != len(self.up) or any(a.weight.shape != b.weight.T.shape for a, b in pairs):
            raise UserError(
                "method `autoencoder`: the head has to mirror the encoder: the same widths in the other order, "
                "and at last the number of pixels."
            )
        if options.initial_sd:
            for p in self.parameters():
                nn.init.normal_(p, std=options.initial_sd) if p.dim() > 1 else nn.init.zeros_(p)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> error (n,): half the squared distance of what is given back."""
        x = views[:, 0]
        target, given = (
            (x.flatten(1), self.head(self.encoder(x))) if self.options.layer is None else self._layer(x)
        )
        return {"error": (exact(given) - exact(target)).square().sum(-1) / 2}

    def loss(self, error: Tensor) -> Tensor:
        """error (N,) -> its mean."""
        return error.mean()

    def _layer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, C, H, W) -> the layer's input, and what it gives back of it (n, width) (equations 8 to 11).

        Activations follow all layers but the encoder's last, whose features may have any sign, and the one that
        gives back pixels.
        """
        number = self.options.layer
        with torch.no_grad():
            inputs = x.flatten(1)
            for layer in self.down[: number - 1]:
                inputs = layer(inputs).relu()
        features = self.down[number - 1](self.drop[0](inputs))
        features = features if number == len(self.down) else features.relu()
        given = self.up[-number](self.drop[1](features))
        return inputs, given if number == 1 else given.relu()
