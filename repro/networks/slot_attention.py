"""Slot Attention and the autoencoder around it: Locatello et al. 2020 (arXiv 2006.15055), sections 2 and 3.1.

Initial weights and the constant of LayerNorm are those of the authors' code (slot_attention in google-research):
Glorot's uniform weights, biases of 0; the GRU has torch's.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

STEADY = 1e-8  # added to the attention before it is divided by its sum over the inputs
NORM = 1e-3


class SlotAttention(nn.Module):
    """Algorithm 1: inputs (n, N, d), noise (n, K, D), standard normal -> slots (n, K, D).

    The slots start at μ + σ · noise. In each of `iterations` rounds they compete for the inputs: the attention of
    every input sums to 1 over the slots. `hidden` is the width of the residual perceptron.
    """

    def __init__(self, inputs: int, size: int, hidden: int, iterations: int):
        super().__init__()
        self.iterations = iterations
        bound = math.sqrt(6 / (1 + size))
        self.mu = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        self.log_sigma = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        self.norm_inputs, self.norm_slots, self.norm_mlp = (
            nn.LayerNorm(d, eps=NORM) for d in (inputs, size, size)
        )
        self.k, self.v = (nn.Linear(inputs, size, bias=False) for _ in range(2))
        self.q = nn.Linear(size, size, bias=False)
        self.gru = nn.GRUCell(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, size))

    def forward(self, inputs: Tensor, noise: Tensor) -> Tensor:
        inputs = self.norm_inputs(inputs)
        k, v = self.k(inputs), self.v(inputs)
        slots = self.mu + self.log_sigma.exp() * noise
        for _ in range(self.iterations):
            previous, q = slots, self.q(self.norm_slots(slots))
            attention = torch.softmax(k @ q.mT / math.sqrt(q.shape[-1]), dim=-1)  # (n, N, K), over the slots
            weights = attention + STEADY
            updates = (weights / weights.sum(1, keepdim=True)).mT @ v
            slots = self.gru(updates.flatten(0, 1), previous.flatten(0, 1)).view_as(previous)
            slots = slots + self.mlp(self.norm_mlp(slots))
        return slots


class PositionEmbedding(nn.Module):
    """features (n, D, S, S) plus a linear map of the place: its distances from the four edges, in 0..1."""

    def __init__(self, dim: int, side: int):
        super().__init__()
        row, column = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
        self.places = nn.Buffer(torch.stack([row, column, 1 - row, 1 - column], -1), persistent=False)
        self.linear = nn.Linear(4, dim)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.linear(self.places).movedim(-1, 0)


class Decomposition(NamedTuple):
    """The image (n, 3, S, S), and of each slot its picture (n, K, 3, S, S) and its share of each pixel
    (n, K, 1, S, S), which sums to 1 over the slots."""

    image: Tensor
    pictures: Tensor
    masks: Tensor


class SlotAutoencoder(nn.Module):
    """images (n, 3, S, S), noise (n, K, D) -> their decomposition.

    Four convolutions of `width` channels, position embedding, LayerNorm and a perceptron at each place; Slot
    Attention over the places; each slot is spread over the S × S places and decoded on its own, with a position
    embedding and three such convolutions, into a picture and the logit of a mask.
    """

    def __init__(self, side: int, width: int, kernel: int, size: int, iterations: int):
        super().__init__()
        self.side = side
        self.encoder = nn.Sequential(
            *_convolutions([3, *[width] * 4], kernel), PositionEmbedding(width, side)
        )
        self.mlp = nn.Sequential(
            nn.LayerNorm(width, eps=NORM), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.attention = SlotAttention(width, size, 2 * size, iterations)
        last = nn.Conv2d(width, 4, 3, padding=1)
        self.decoder = nn.Sequential(
            PositionEmbedding(size, side), *_convolutions([size, *[width] * 3], kernel), last
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def encode(self, images: Tensor) -> Tensor:
        """images (n, 3, S, S) -> the set of inputs (n, S², width)."""
        return self.mlp(self.encoder(images).flatten(2).mT)

    def decode(self, slots: Tensor) -> Decomposition:
        """slots (n, K, D) -> their decomposition; nothing passes between the slots but the sum of the masks."""
        spread = slots.flatten(0, 1)[:, :, None, None].expand(-1, -1, self.side, self.side)
        pictures, logits = self.decoder(spread).unflatten(0, slots.shape[:2]).split([3, 1], dim=2)
        masks = logits.softmax(1)
        return Decomposition((pictures * masks).sum(1), pictures, masks)

    def forward(self, images: Tensor, noise: Tensor) -> Decomposition:
        return self.decode(self.attention(self.encode(images), noise))


def _convolutions(channels: list[int], kernel: int) -> list[nn.Module]:
    """Convolutions that keep the size, each followed by a ReLU."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(channels):
        layers += [nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2), nn.ReLU()]
    return layers
