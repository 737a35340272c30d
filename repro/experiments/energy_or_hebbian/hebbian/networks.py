"""Networks of Hebbian synapses, and static ones: Najarro and Risi 2020 (arXiv 2007.02686), section 3.

The layers, without biases, are inputs-128-64-outputs with tanh between them; images first pass two convolutions,
whose weights stay as they are. Sizes, starts and the normalisation are those of the authors' code (policies.py,
fitness_functions.py, evolution_strategy_hebb.py). All arrays are float32 and hold n networks at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray
HIDDEN = (128, 64)
FILTERS = ((6, 3, 3, 3), (8, 6, 5, 5))  # (out, in, height, width), with strides 1 and 2
FLAT = 648  # features of an 84 × 84 image: 8 maps of 9 × 9
COEFFICIENTS = 5  # A, B, C, D and η of a synapse
TINY = np.float32(1e-12)


@dataclass(frozen=True)
class Form:
    """What a world asks of a network.

    `inputs` is None for images (3, 84, 84); `bounded` outputs pass a tanh before they act and before the rule sees
    them; with `normalised`, each layer is divided by its largest absolute weight after each update.
    """

    inputs: int | None
    outputs: int
    bounded: bool = False
    normalised: bool = True

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of each layer."""
        sizes = (self.inputs or FLAT, *HIDDEN, self.outputs)
        return tuple((o, i) for i, o in pairwise(sizes))

    @property
    def convolutions(self) -> tuple[tuple[int, ...], ...]:
        return () if self.inputs else FILTERS

    @property
    def fixed(self) -> int:
        """Evolved weights that stay as they are during an episode, in a plastic network too."""
        return sum(math.prod(shape) for shape in self.convolutions)

    @property
    def synapses(self) -> int:
        return sum(o * i for o, i in self.layers)


def start(form: Form, plastic: bool, random: np.random.Generator) -> Array:
    """The first mean of the evolution: N(0, 1) coefficients and filters, or weights of ±1/√(fan-in), uniform."""
    if plastic:
        return random.standard_normal(form.fixed + COEFFICIENTS * form.synapses, dtype=np.float32)
    shapes = (*form.convolutions, *form.layers)
    bounds = [(math.prod(shape), 1 / math.sqrt(math.prod(shape[1:]))) for shape in shapes]
    return np.concatenate([random.uniform(-b, b, n) for n, b in bounds]).astype(np.float32)


class Network:
    """n static networks; `parameters` (n, P) are the filters and the weights, one after the other."""

    def __init__(self, form: Form, parameters: Array):
        self.form = form
        self.filters = parted(parameters[:, : form.fixed], form.convolutions)
        self.weights = parted(parameters[:, form.fixed :], form.layers)
        self.seen: list[Array] = []

    def __call__(self, observations: Array) -> Array:
        """Observations (n, inputs), or (n, 3, 84, 84), -> outputs (n, outputs); keeps all layers' activations."""
        x = observations.astype(np.float32, copy=False)
        if self.filters:
            x = np.stack([features(x[i], [f[i] for f in self.filters]) for i in range(len(x))])
        self.seen = [x]
        for layer, weight in enumerate(self.weights):
            x = np.einsum("noi,ni->no", weight, x)
            if layer < len(self.weights) - 1 or self.form.bounded:
                x = np.tanh(x)
            self.seen.append(x)
        return x

    def adapt(self) -> None:
        """What the network does to itself after a step: nothing."""

    def damage(self, share: float, random: np.random.Generator) -> None:
        """Sets each weight to 0 with the probability `share`."""
        for weight in self.weights:
            weight *= random.random(weight.shape, dtype=np.float32) >= share


class Plastic(Network):
    """n networks whose weights start uniform in ±`reach` and change by evolved rules.

    `parameters` (n, P) are the filters, then all synapses' A, all B, C, D and η.
    """

    def __init__(self, form: Form, parameters: Array, reach: float, random: np.random.Generator):
        drawn = random.uniform(-reach, reach, (len(parameters), form.synapses)).astype(np.float32)
        super().__init__(form, np.concatenate([parameters[:, : form.fixed], drawn], 1))
        rules = parameters[:, form.fixed :].reshape(len(parameters), COEFFICIENTS, form.synapses)
        a, b, c, d = (rules[:, i] * rules[:, 4] for i in range(4))  # η once and for all
        self.rules = list(zip(*(parted(r, form.layers) for r in (a, b, c, d)), strict=True))
        self.scratch = [np.empty_like(weight) for weight in self.weights]

    def adapt(self) -> None:
        """Δw_ij = η (A o_i o_j + B o_i + C o_j + D), o_i before and o_j after the synapse."""
        for layer, (weight, change) in enumerate(zip(self.weights, self.scratch, strict=True)):
            a, b, c, d = self.rules[layer]
            before, after = self.seen[layer][:, None, :], self.seen[layer + 1][:, :, None]
            np.multiply(a, before, out=change)
            change += c
            change *= after
            weight += change
            np.multiply(b, before, out=change)
            change += d
            weight += change
            if self.form.normalised:
                top = np.maximum(weight.max((1, 2)), -weight.min((1, 2)))
                weight /= np.maximum(top, TINY)[:, None, None]


def parted(flat: Array, shapes: tuple[tuple[int, ...], ...]) -> list[Array]:
    """(n, Σ sizes) -> a copy (n, *shape) of each part."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    parts = np.split(flat, ends, 1) if shapes else []
    return [part.reshape(len(flat), *shape).copy() for part, shape in zip(parts, shapes, strict=True)]


def features(image: Array, filters: list[Array]) -> Array:
    """image (3, 84, 84) -> (648,): convolution, tanh and 2 × 2 maxima, twice, with strides 1 and 2."""
    x = image
    for stride, kernel in zip((1, 2), filters, strict=True):
        patches = sliding_window_view(x, kernel.shape[2:], (1, 2))[:, ::stride, ::stride]
        x = np.tanh(np.tensordot(kernel, patches, ((1, 2, 3), (0, 3, 4))))
        high, wide = x.shape[1] // 2, x.shape[2] // 2
        x = x[:, : 2 * high, : 2 * wide].reshape(len(x), high, 2, wide, 2).max((2, 4))
    return x.reshape(-1)
