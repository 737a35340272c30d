"""Worker processes that decode images and cut views out of them, ahead of their use."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from repro.data.encoded import Encoded
from repro.errors import UserError
from repro.host import cores
from repro.signals import held, leave_to_parent

log = logging.getLogger(__name__)
SHARED = Path("/dev/shm")  # where Linux keeps the memory that processes share
CHUNK = 32  # samples that a worker makes at once
AHEAD = 2  # chunks that each worker is ahead
MANY = 1024  # workers that may be asked for
MOST = 16  # workers of a process, unless told otherwise

Chunk = tuple[list[int], int]  # the indices of samples, and the key of their draws
Cutter = Callable[[Image.Image, int, int], np.ndarray]  # (picture, key, index) -> (S, S, C) uint8


class Crops(Dataset[list[Any] | str]):
    """For a chunk, the crops (n, S, S, C) uint8 of each cutter; a text if an image is damaged, as workers
    cannot pass on an error as it is.

    They are tensors in shared memory, or arrays that go through a pipe when there is little of it: a worker that
    runs out of shared memory is killed. `workers` share it.
    """

    def __init__(self, images: Encoded, cutters: Sequence[Cutter], workers: int) -> None:
        self.images, self.cutters, self.workers = images, cutters, workers

    def __getitem__(self, chunk: Chunk) -> list[Any] | str:
        indices, key = chunk
        try:
            made = [self._sample(index, key) for index in indices]
        except UserError as error:
            return str(error)
        crops = [np.stack(views) for views in zip(*made, strict=True)]
        return [torch.from_numpy(x) for x in crops] if self._room(sum(x.nbytes for x in crops)) else crops

    def _room(self, size: int) -> bool:
        """Whether shared memory has room for a chunk of `size` bytes, with plenty left for the other workers."""
        if not self.workers or not SHARED.exists():
            return True
        there = os.statvfs(SHARED)
        if there.f_bavail * there.f_frsize > 4 * self.workers * size:
            return True
        _note_little_room()
        return False

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

    The plan is read ahead, in this process. Raises UserError for a damaged image, or when a worker dies.
    """
    number = default_workers() if workers is None else workers
    loader = DataLoader(
        Crops(images, cutters, number),
        batch_size=None,
        sampler=plan,  # type: ignore[arg-type]
        num_workers=number,
        prefetch_factor=AHEAD if number else None,
        pin_memory=device.type == "cuda",
        collate_fn=_as_it_is,
        worker_init_fn=leave_to_parent,
        generator=torch.Generator(),  # else it would draw from the global one
    )
    chunks = _started(loader)
    while True:
        try:
            crops = next(chunks)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise UserError(
                f"A process that decodes images has died ({str(error).partition('.')[0]}), perhaps for want of "
                "memory; try fewer of them (REPRO_WORKERS). The same command goes on from the last checkpoint."
            ) from None
        if isinstance(crops, str):
            raise UserError(crops)
        made = (torch.as_tensor(x).to(device, non_blocking=True) for x in crops)
        yield [x.permute(0, 3, 1, 2).contiguous() for x in made]


def _started(loader: DataLoader[Any]) -> Iterator[Any]:
    """Starts the workers, which leave signals to this process and are looked after where their work is awaited.

    Torch would have SIGCHLD raise an error for a dead worker, in the middle of anything.
    """
    before = signal.getsignal(signal.SIGCHLD) if loader.num_workers else None
    try:
        with held():
            return iter(loader)
    except OSError as error:
        raise UserError(
            f"The processes that decode images cannot be started ({error.strerror or error}); REPRO_WORKERS=0 "
            "does without them."
        ) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _as_it_is(chunk: Any) -> Any:
    return chunk


@cache
def _note_little_room() -> None:
    log.warning("%s is small; decoded images go through pipes, which is slower.", SHARED)


def default_workers() -> int:
    """$REPRO_WORKERS, or this process's share of the cores, at most 16."""
    given = os.environ.get("REPRO_WORKERS")
    if given:
        if not given.isdecimal() or int(given) > MANY:
            raise UserError(f"REPRO_WORKERS is a number of processes, 0 to {MANY}; found `{given}`.")
        return int(given)
    return max(1, min(MOST, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
