"""Linear layers of any widths with an activation between them, as the decoders of autoencoders are."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.networks.heads.perceptron_options import PerceptronOptions
from repro.networks.mlp import ACTIVATIONS, perceptron


class Perceptron(nn.Module):
    """features (n, dim) -> (n, out)."""

    Options = PerceptronOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.net = perceptron((dim, *options.hidden, options.out), ACTIVATIONS[options.activation])
        self.dim = options.out

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)
