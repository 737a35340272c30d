"""The projection or prediction head: a small perceptron between the features and the loss."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from repro.networks.heads.mlp_options import MLPOptions

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "leaky_relu": nn.LeakyReLU}


class MLP(nn.Module):
    """features (n, dim) -> (n, out): `layers` linear maps with activations between them."""

    Options = MLPOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        o = options
        inner = o.bias if o.bias is not None else not o.norm
        last = o.out_bias if o.out_bias is not None else not o.out_norm
        widths = [dim, *[o.hidden] * (o.layers - 1)]
        blocks: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            blocks.append(nn.Linear(fan_in, fan_out, bias=inner))
            blocks += [nn.BatchNorm1d(fan_out)] if o.norm else []
            blocks.append(_ACTIVATIONS[o.activation or "relu"]())
        blocks.append(nn.Linear(widths[-1], o.out, bias=last))
        blocks += [nn.BatchNorm1d(o.out, affine=o.out_norm == "affine")] if o.out_norm else []
        self.net = nn.Sequential(*blocks)
        self.dim = o.out

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)
