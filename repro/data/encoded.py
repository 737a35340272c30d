"""The images of a split that stay encoded: any row in any order, from one or more files."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, overload

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from repro.data.file import File
from repro.errors import UserError

FORMATS = ("PNG", "WEBP", "JPEG")  # naming them spares Pillow the trial of all its formats: half the time
MODES = {1: ("L", "1"), 3: ("RGB",)}  # those whose pixels are kept as they are, by channels
GROUPS = 4  # row groups that a process remembers: enough for reading in order


class Where(NamedTuple):
    """A row of a file, and its row group."""

    file: int
    row: int
    group: int


class Encoded:
    """Images of `channels` channels and of any size, numbered through all files, or a selection `rows` of them.

    An image of a Parquet file costs the reading of its row group: fine for the hub's groups of some 100 images,
    slow for larger ones. An image of an Arrow file costs the reading of this image alone.
    """

    def __init__(self, files: Sequence[File], channels: int, rows: np.ndarray | None = None) -> None:
        self.files, self.channels = files, channels
        self.starts = [*accumulate(map(len, files), initial=0)]
        self.rows = rows
        self._group = lru_cache(GROUPS)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.files, self.channels, self.rows)

    def __len__(self) -> int:
        return self.starts[-1] if self.rows is None else len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: Tensor) -> Encoded: ...

    def __getitem__(self, index: int | Tensor) -> Tensor | Encoded:
        """For a number the image, (C, H, W) uint8; for numbers (m,) a selection of images."""
        if isinstance(index, Tensor):
            rows = np.arange(len(self)) if self.rows is None else self.rows
            return Encoded(self.files, self.channels, rows[index.cpu().numpy()])
        with self.picture(index) as picture:
            return torch.from_numpy(array(picture).transpose(2, 0, 1).copy())

    def __iter__(self) -> Iterator[bytes | None]:
        """The encoded images in order."""
        for index in range(len(self)):
            yield self._bytes(self._where(index))

    def picture(self, index: int) -> Image.Image:
        """The decoded image, of mode RGB or L. Raises UserError, naming file and row, when it is damaged."""
        where = self._where(index)
        file = self.files[where.file]
        encoded = self._bytes(where)
        try:
            return opened(encoded, self.channels)
        except Exception as error:  # Pillow's kinds of error for damaged bytes are many
            raise UserError(f"{file.path}: row {where.row}: {error}; {file.mend}.") from None

    def _where(self, index: int) -> Where:
        if not 0 <= index < len(self):
            raise IndexError(index)
        row = index if self.rows is None else int(self.rows[index])
        file = bisect_right(self.starts, row) - 1
        row -= self.starts[file]
        return Where(file, row, bisect_right(self.files[file].starts, row) - 1)

    def _bytes(self, where: Where) -> bytes | None:
        group = self._group(where.file, where.group)
        return group[where.row - self.files[where.file].starts[where.group]].as_py()

    def _read(self, file: int, group: int) -> pa.Array:
        return self.files[file].group(group)


def opened(encoded: bytes | None, channels: int) -> Image.Image:
    """The decoded image, converted to RGB or L. Orientation tags are ignored, as torchvision does."""
    if encoded is None:
        raise ValueError("there are no image bytes")
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        image.load()  # what is not converted would be read only when it is used
        return converted(image, channels)


def converted(image: Image.Image, channels: int) -> Image.Image:
    """The image in mode RGB or L. Of 16 bits a pixel the upper eight are kept, where Pillow would clip to white."""
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    return image if image.mode == MODES[channels][0] else image.convert(MODES[channels][0])


def array(picture: Image.Image) -> np.ndarray:
    """(H, W, C) uint8."""
    pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[..., None]
