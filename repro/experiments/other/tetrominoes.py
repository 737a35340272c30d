"""Scenes of tetrominoes with their masks, in the layout of google-deepmind/multi_object_datasets (Kabra et al. 2019).

As its README says: 35×35 pixels, three blocks, each in one of six colours, on black. Which 17 of the 19 shapes and
turns that data set has, and where it puts them, is not told there: here all 19 are drawn alike, in every place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from repro.keys import key, uniform

PIECES = ("####", "##/##", "###/.#.", "###/#..", "###/..#", "##./.##", ".##/##.")
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
CHUNK = 4096  # scenes at a time, for the memory


class Scenes(NamedTuple):
    """Images (n, 3, S, S) uint8, which block each pixel is of (n, S, S) uint8, 0 the background, and the
    number in COLOURS of each block (n, B) int64."""

    images: Tensor
    blocks: Tensor
    colours: Tensor


def orientations() -> list[np.ndarray]:
    """The 19 tetrominoes that differ when they may not be turned, each (h, w) bool."""
    found = {}
    for piece in PIECES:
        cells = np.array([[c == "#" for c in row] for row in piece.split("/")])
        for turned in (np.rot90(cells, k) for k in range(4)):
            found[turned.shape, turned.tobytes()] = turned
    return list(found.values())


def scenes(seed: int, n: int, side: int = 35, cell: int = 5, blocks: int = 3) -> Scenes:
    """`n` scenes: `blocks` tetrominoes of `cell` × `cell` pixels a square, which do not overlap.

    Shape, place (to the pixel) and colour of each are uniform and independent; where blocks overlap, shapes and
    places of the scene are drawn again. Scene i depends on the key `seed` and on i alone.
    """
    parts = [_some(seed, index, side, cell, blocks) for index in torch.arange(n).split(CHUNK)]
    return Scenes(*map(torch.cat, zip(*parts, strict=True)))


def _some(seed: int, index: Tensor, side: int, cell: int, blocks: int) -> Scenes:
    of, waiting, attempt = torch.zeros(len(index), side, side, dtype=torch.uint8), torch.arange(len(index)), 0
    number = torch.arange(1, blocks + 1, dtype=torch.uint8)[:, None, None]
    while len(waiting):
        draws = uniform(key(seed, "places", attempt), index[waiting], 3 * blocks)
        covered = stencils(draws.reshape(-1, blocks, 3), side, cell)
        apart = covered.sum(1).amax((1, 2)) == 1
        of[waiting[apart]] = (covered * number).sum(1, dtype=torch.uint8)[apart]
        waiting, attempt = waiting[~apart], attempt + 1
    colours = (len(COLOURS) * uniform(key(seed, "colours"), index, blocks)).long()
    black = torch.zeros(len(index), 1, 3, dtype=torch.uint8)
    palette = torch.cat([black, torch.tensor(COLOURS, dtype=torch.uint8)[colours]], 1)
    painted = palette[torch.arange(len(index))[:, None, None], of.long()]
    return Scenes(painted.movedim(-1, 1).contiguous(), of, colours)


def stencils(draws: Tensor, side: int, cell: int) -> Tensor:
    """draws (n, B, 3) in [0, 1): shape, row and column -> the pixels covered (n, B, S, S) bool."""
    shapes = orientations()
    cells = torch.zeros(len(shapes), 5, 5, dtype=torch.bool)  # the fifth row and column: outside
    for stencil, shape in zip(cells, shapes, strict=True):
        stencil[: shape.shape[0], : shape.shape[1]] = torch.from_numpy(shape.copy())
    room = side + 1 - cell * torch.tensor([shape.shape for shape in shapes])
    chosen = (len(shapes) * draws[..., 0]).long()
    start = (room[chosen] * draws[..., 1:]).long()
    at = torch.arange(side) - start[..., None]  # (n, B, 2, S), in pixels from the block's corner
    at = torch.where(at < 0, 4, at // cell).clamp(max=4)
    return cells[chosen[..., None, None], at[:, :, 0, :, None], at[:, :, 1, None, :]]
