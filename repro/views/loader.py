"""The views of each step of a stage, from images in memory, from encoded images in files, or from other fields.

Images in memory are moved to the device once, and all is done there. Encoded images are decoded by worker processes,
which also cut out the crops of the views and resize them; they work ahead of the steps. The rest is done on
the device, by the same code. The views depend neither on the workers nor on where a run begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from repro import components
from repro.data.images import ImageSet
from repro.data.table import Table
from repro.options import ViewOptions, Views
from repro.views.augment import Augment, filter_of, plain
from repro.views.cut import centred, cut
from repro.views.draws import Draws
from repro.views.workers import CHUNK, Chunk, loaded

Upcoming = Callable[[int], tuple[Tensor, int]]


class Loader(Protocol):
    """Gives the views of the steps, which are asked for in order. To be closed when no more are needed."""

    def __call__(self, step: int) -> dict[str, Tensor]:
        """What is made of the step's n samples, on the device: of images `views` (n, V, C, S, S), and `local`."""

    def close(self) -> None: ...


def loader(
    data: Any,
    options: Any,
    device: torch.device,
    upcoming: Upcoming,
    total: int,
    workers: int | None = None,
) -> Loader:
    """The views of `total` steps. `upcoming(step)` gives a step's indices (n,) and the key of its draws.

    `workers` processes decode (0: this one); by default one for each core, or $REPRO_WORKERS.
    """
    if not isinstance(options, Views):
        return FromTable(data, kind_of(options), device, upcoming)
    augment = Augment(options, data.shape[-1], data.mean, data.std)
    if data.streamed:
        return FromFiles(data, augment, device, upcoming, total, workers)
    return FromMemory(data, augment, device, upcoming)


def kind_of(options: ViewOptions) -> Any:
    """What makes views of other fields than images."""
    return components.load(("views.kinds",), options.kind)(options)


def rows_of(data: Table, index: Tensor, device: torch.device) -> dict[str, Any]:
    """The entries of the samples index (n,), tensors on the device."""
    chosen = {name: x[index] for name, x in data.fields.items()}
    return {name: x.to(device) if isinstance(x, Tensor) else x for name, x in chosen.items()}


class FromTable:
    """Feeds from fields other than images, which are in memory."""

    def __init__(self, data: Table, kind: Any, device: torch.device, upcoming: Upcoming) -> None:
        self.data, self.kind, self.device, self.upcoming = data, kind, device, upcoming

    def __call__(self, step: int) -> dict[str, Tensor]:
        index, key = self.upcoming(step)
        draws = Draws(key, 0, index.to(self.device))
        views: dict[str, Tensor] = self.kind(rows_of(self.data, index, self.device), draws)
        return views

    def close(self) -> None:
        pass


class FromMemory:
    """Feeds from images that are all on the device."""

    def __init__(self, data: ImageSet, augment: Augment, device: torch.device, upcoming: Upcoming) -> None:
        self.images = data.images.to(device)
        self.augment, self.upcoming = augment, upcoming

    def __call__(self, step: int) -> dict[str, Tensor]:
        index, key = self.upcoming(step)
        own = index.to(self.images.device)
        return self.augment(self.images[own], key, own)

    def close(self) -> None:
        pass


class FromFiles:
    """Feeds from encoded images. A step that does not follow the last one begins anew there."""

    def __init__(
        self,
        data: ImageSet,
        augment: Augment,
        device: torch.device,
        upcoming: Upcoming,
        total: int,
        workers: int | None,
    ) -> None:
        self.augment, self.device, self.upcoming, self.total = augment, device, upcoming, total
        cutters = [partial(cut, one, view) for view, one in enumerate(augment.all)]
        self.load = partial(loaded, data.images, cutters, device=device, workers=workers)
        self.planned: deque[tuple[Tensor, int]] = deque()
        self.chunks: Generator[list[Tensor]] | None = None
        self.next = -1

    def __call__(self, step: int) -> dict[str, Tensor]:
        if self.chunks is None or step != self.next:
            self.close()
            self.chunks = self.load(self._plan(step))
        self.next = step + 1
        parts = [next(self.chunks)]
        index, key = self.planned.popleft()
        parts += [next(self.chunks) for _ in range(CHUNK, len(index), CHUNK)]
        crops = [torch.cat(view) for view in zip(*parts, strict=True)]
        return self.augment.finish(crops, key, index.to(self.device))

    def close(self) -> None:
        """Ends the worker processes."""
        if self.chunks is not None:
            self.chunks.close()
        self.chunks = None
        self.planned.clear()

    def _plan(self, first: int) -> Iterator[Chunk]:
        """What the workers have to do from step `first` on, noted in `planned` as it is handed out."""
        for step in range(first, self.total):
            index, key = self.upcoming(step)
            self.planned.append((index, key))
            for some in index.split(CHUNK):
                yield some.tolist(), key


def plain_views(
    data: Any,
    options: Any,
    device: torch.device,
    start: int,
    stop: int,
    batch: int,
    workers: int | None = None,
) -> Iterator[Tensor]:
    """The samples start..stop-1 as a network gets them for evaluation, in batches on the device.

    Of images (n, C, S, S): size and normalisation are those that `options` states, else the data set's own.
    """
    if not isinstance(options, Views):
        kind = kind_of(options)
        for rows in torch.arange(start, stop).split(batch):
            yield kind.plain(rows_of(data, rows, device)).to(device)
        return
    size, filter = options.test_size or options.shape(data.shape)[-1], filter_of(options)
    stated = options.normalise or data
    finish = partial(plain, mean=stated.mean, std=stated.std, size=size, filter=filter)
    if not data.streamed:
        for images in data.images[start:stop].split(batch):
            yield finish(images.to(device))
        return
    batches = torch.arange(start, stop).split(batch) if stop > start else ()
    if not batches:
        yield torch.zeros(0, data.shape[0], size, size, device=device)
    plan = ((some.tolist(), 0) for rows in batches for some in rows.split(CHUNK))
    chunks = loaded(data.images, [partial(centred, size, filter)], plan, device=device, workers=workers)
    for rows in batches:
        yield finish(torch.cat([next(chunks)[0] for _ in range(0, len(rows), CHUNK)]))
    chunks.close()
