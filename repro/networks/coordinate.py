"""Coordinate networks: from a position to the value there, Sitzmann et al. 2020 (arXiv 2006.09661).

All have a first layer, `hidden` further layers of the same width, and a linear output. Weights are drawn as in
the paper's section 3.2 and in the authors' code, from torch's generator; biases are torch's U(−1/√n, 1/√n),
n being the fan-in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.networks import mlp


class Sine(nn.Linear):
    """x (…, n) -> sin(ω (W x + b)).

    W ~ U(−1/n, 1/n) in the first layer (as the authors' code) and U(−√(6/n)/ω, √(6/n)/ω) in the others (section 3.2).
    """

    def __init__(self, fan_in: int, fan_out: int, omega: float, first: bool = False):
        super().__init__(fan_in, fan_out)
        self.omega = omega
        bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
        nn.init.uniform_(self.weight, -bound, bound)

    def preactivation(self, x: Tensor) -> Tensor:
        """ω (W x + b); ω multiplies the small weights rather than the large activations, which is faster."""
        return F.linear(x, self.omega * self.weight, self.omega * self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.preactivation(x).sin()


def sines(inputs: int, width: int, hidden: int, omega: float) -> list[Sine]:
    """The sine layers of a SIREN, first to last."""
    first = Sine(inputs, width, omega, first=True)
    return [first, *(Sine(width, width, omega) for _ in range(hidden))]


def siren(inputs: int, outputs: int, width: int, hidden: int, omega: float) -> nn.Sequential:
    """positions (n, inputs) -> values (n, outputs); the output's weights are drawn like a hidden layer's."""
    last = nn.Linear(width, outputs)
    bound = math.sqrt(6 / width) / omega
    nn.init.uniform_(last.weight, -bound, bound)
    return nn.Sequential(*sines(inputs, width, hidden, omega), last)


class PositionalEncoding(nn.Module):
    """x (n, d) in [−1, 1] -> (n, d + 2 d F): x, then sin(2^i π x) and cos(2^i π x) for i < F.

    The frequencies of Mildenhall et al. 2020 (NeRF), eq. 4.
    """

    def __init__(self, frequencies: int):
        super().__init__()
        self.omegas = nn.Buffer(math.pi * 2.0 ** torch.arange(frequencies), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        angles = (x[..., None] * self.omegas).flatten(-2)
        return torch.cat([x, angles.sin(), angles.cos()], dim=-1)


def nyquist_frequencies(side: int) -> int:
    """How many octaves a side of `side` pixels can show: ⌊log2(side / 4)⌋, the rule of the authors' code."""
    return int(math.log2(side / 4))


def perceptron(
    inputs: int, outputs: int, width: int, hidden: int, activation: type[nn.Module]
) -> nn.Sequential:
    """The comparison network of the same size: He's weights with ReLU, Glorot's with tanh, both normal."""
    initialise = nn.init.kaiming_normal_ if activation is nn.ReLU else nn.init.xavier_normal_
    net = mlp.perceptron([inputs, *[width] * (hidden + 1), outputs], activation)
    for layer in net:
        if isinstance(layer, nn.Linear):
            initialise(layer.weight)
    return net
