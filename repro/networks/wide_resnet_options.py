"""Options of the backbone `wide_resnet`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from repro.options import NetworkOptions, PositiveInt, Probability


def _of_six(depth: int) -> int:
    if depth < 10 or depth % 6 != 4:
        raise ValueError("the depth must be 6 n + 4: 10, 16, 22, 28, 40, …")
    return depth


class WideResNetOptions(NetworkOptions):
    depth: Annotated[PositiveInt, AfterValidator(_of_six)]
    """Layers with weights, 6 n + 4 with n blocks in each of three stages."""
    widen: PositiveInt
    """The factor k on the widths 16, 32 and 64."""
    dropout: Probability = 0.0
    """Share of the activations dropped between the convolutions of a block."""
