"""From Parquet or Arrow files with encoded images to arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from repro.data.available import Files
from repro.data.declare import DataSet
from repro.data.encoded import FORMATS, MODES, array, converted
from repro.data.file import File
from repro.errors import UserError


def decode(declared: DataSet, split: str, files: Files) -> tuple[Tensor, Tensor]:
    """Images (n, C, H, W) uint8 and labels (n,) int64 of a split; a bitmap's pixels become 0 and 255.

    Raises UserError, naming the file and the row, for anything that is not as declared.
    """
    sources = opened_files(declared, split, files)
    total = declared.splits[split]
    images = np.empty((total, *declared.shape), np.uint8)
    encoded = ((file, row, image) for file in sources for row, image in enumerate(file))
    progress = tqdm(encoded, f"{declared.name} {split}", total, leave=False, disable=None, unit="img")
    for index, (file, row, image) in enumerate(progress):
        try:
            images[index] = _pixels(image, declared.shape, declared.any_mode)
        except Exception as error:  # Pillow's kinds of error for damaged bytes are many
            raise UserError(f"{file.path}: row {row}: {error}; {file.mend}.") from None
    return torch.from_numpy(images), labels_of(declared, split, sources)


def opened_files(declared: DataSet, split: str, files: Files) -> list[File]:
    """The files of a split, which together have its rows. Raises UserError when they have not."""
    mend = f"delete {files.to_remove}, then {declared.how_to_get}"
    sources = [File(path, files.columns, mend) for path in files.paths]
    rows, found = declared.splits[split], sum(map(len, sources))
    if found != rows:
        raise UserError(
            f"{files.paths[0]}: split `{split}` of `{declared.name}` has {rows:,} rows, and the "
            f"{len(sources)} file(s) here have {found:,}; are all parts there? If they are, {mend}."
        )
    return sources


def labels_of(declared: DataSet, split: str, sources: Sequence[File]) -> Tensor:
    """The labels (n,) int64 of all files; -1 in an unlabelled split, where files need not have a column of them."""
    if split in declared.unlabelled:
        return torch.full((sum(map(len, sources)),), -1)
    classes = declared.classes_in(split)
    return torch.from_numpy(np.concatenate([file.labels(classes) for file in sources]))


def _pixels(encoded: bytes | None, shape: tuple[int, ...], any_mode: bool) -> np.ndarray:
    """One image as an array of `shape`, (C, H, W) uint8."""
    channels, height, width = shape
    if encoded is None:
        raise ValueError("there are no image bytes")
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        if image.size != (width, height) or (image.mode not in MODES[channels] and not any_mode):
            raise ValueError(
                f"the image has {image.width}×{image.height} pixels of mode {image.mode}, expected "
                f"{width}×{height} of mode {' or '.join(MODES[channels])}"
            )
        return array(converted(image, channels)).transpose(2, 0, 1)
