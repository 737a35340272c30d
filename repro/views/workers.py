"""Worker processes that decode images and cut views out of them, ahead of their use."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from repro.data.encoded import Encoded
from repro.errors import UserError

CHUNK = 32  # samples that a worker makes at once
AHEAD = 2  # chunks that each worker is ahead
MOST = 16  # workers of a process, unless told otherwise

Chunk = tuple[list[int], int]  # the indices of samples, and the key of their draws
Cutter = Callable[[Image.Image, int, int], np.ndarray]  # (picture, key, index) -> (S, S, C) uint8


class Crops(Dataset[list[Tensor] | str]):
    """For a chunk, the crops (n, S, S, C) uint8 of each cutter; a text if an image is damaged, as workers
    cannot pass on an error as it is."""

    def __init__(self, images: Encoded, cutters: Sequence[Cutter]) -> None:
        self.images, self.cutters = images, cutters

    def __getitem__(self, chunk: Chunk) -> list[Tensor] | str:
        indices, key = chunk
        try:
            made = [self._sample(index, key) for index in indices]
        except UserError as error:
            return str(error)
        return [torch.from_numpy(np.stack(views)) for views in zip(*made, strict=True)]

    def _sample(self, index: int, key: int) -> list[np.ndarray]:
        with self.images.picture(index) as picture:
            return [cutter(picture, key, index) for cutter in self.cutters]


def loaded(
    images: Encoded,
    cutters: Sequence[Cutter],
    plan: Iterator[Chunk],
    *,
    device: torch.device,
    workers: int | None = None,
) -> Generator[list[Tensor]]:
    """The crops of each chunk of the plan in turn, for each cutter (n, C, S, S) uint8 on the device.

    The plan is read ahead, in this process. Raises UserError for a damaged image.
    """
    number = default_workers() if workers is None else workers
    loader = DataLoader(
        Crops(images, cutters),
        batch_size=None,
        sampler=plan,  # type: ignore[arg-type]
        num_workers=number,
        prefetch_factor=AHEAD if number else None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else it would draw from the global one
    )
    for crops in loader:
        if isinstance(crops, str):
            raise UserError(crops)
        yield [x.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous() for x in crops]


def default_workers() -> int:
    """$REPRO_WORKERS, or this process's share of the cores, at most 16."""
    given = os.environ.get("REPRO_WORKERS")
    if given:
        if not given.isdecimal():
            raise UserError(f"REPRO_WORKERS is a number of processes from 0; found `{given}`.")
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
