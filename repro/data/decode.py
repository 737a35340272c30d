"""From Parquet or Arrow files with encoded images to arrays."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from repro.data.available import Files
from repro.data.declare import Columns, DataSet
from repro.errors import UserError

FORMATS = ("PNG", "WEBP", "JPEG")  # naming them spares Pillow the trial of all its formats: half the time
MODES = {1: ("L", "1"), 3: ("RGB",)}  # those whose pixels are kept as they are, by channels


def decode(declared: DataSet, split: str, files: Files) -> tuple[Tensor, Tensor]:
    """Images (n, C, H, W) uint8 and labels (n,) int64 of a split; a bitmap's pixels become 0 and 255.

    Raises UserError, naming the file and the row, for anything that is not as declared.
    """
    rows, columns = declared.splits[split], files.columns
    mend = f"delete {files.to_remove}, then {declared.how_to_get}"
    tables = {path: _table(path, columns, mend) for path in files.paths}
    found = sum(map(len, tables.values()))
    if found != rows:
        raise UserError(
            f"{files.paths[0]}: split `{split}` of `{declared.name}` has {rows:,} rows, and the "
            f"{len(tables)} file(s) here have {found:,}; are all parts there? If they are, {mend}."
        )
    images = np.empty((rows, *declared.shape), np.uint8)
    progress = tqdm(
        _encoded(tables, columns), f"{declared.name} {split}", rows, leave=False, disable=None, unit="img"
    )
    for index, (path, row, encoded) in enumerate(progress):
        try:
            images[index] = _pixels(encoded, declared.shape)
        except Exception as error:  # Pillow's kinds of error for damaged bytes are many
            raise UserError(f"{path}: row {row}: {error}; {mend}.") from None
    labels = np.concatenate([_labels(p, t, columns, declared.classes_in(split)) for p, t in tables.items()])
    return torch.from_numpy(images), torch.from_numpy(labels)


def _table(path: Path, columns: Columns, mend: str) -> pa.Table:
    """The two columns of one file."""
    try:
        if path.suffix == ".arrow":
            table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        else:
            table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{path}: the file is damaged or incomplete ({reason}); {mend}.") from None
    missing = [name for name in (columns.image, columns.label) if name not in table.column_names]
    if missing:
        raise UserError(
            f"{path}: no column `{missing[0]}` (there are {', '.join(table.column_names)}); expected "
            f"`{columns.image}` with encoded images and `{columns.label}` with integers."
        )
    kind = table.schema.field(columns.image).type
    if not (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
        raise UserError(
            f"{path}: column `{columns.image}` is {kind}; expected a struct with a field `bytes`."
        )
    return table.select([columns.image, columns.label])


def _encoded(tables: dict[Path, pa.Table], columns: Columns) -> Iterator[tuple[Path, int, bytes | None]]:
    for path, table in tables.items():
        row = 0
        for chunk in table[columns.image].chunks:
            for encoded in chunk.field("bytes"):
                yield path, row, encoded.as_py()
                row += 1


def _pixels(encoded: bytes | None, shape: tuple[int, int, int]) -> np.ndarray:
    """One image as an array of `shape`, (C, H, W) uint8."""
    channels, height, width = shape
    if encoded is None:
        raise ValueError("there are no image bytes")
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        if image.size != (width, height) or image.mode not in MODES[channels]:
            raise ValueError(
                f"the image has {image.width}×{image.height} pixels of mode {image.mode}, expected "
                f"{width}×{height} of mode {' or '.join(MODES[channels])}"
            )
        pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def _labels(path: Path, table: pa.Table, columns: Columns, classes: int) -> np.ndarray:
    column = table[columns.label]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise UserError(f"{path}: column `{columns.label}` is {column.type}; expected integers without gaps.")
    labels = column.to_numpy().astype(np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{path}: labels go from {labels.min()} to {labels.max()}; expected 0 to {classes - 1}."
        )
    return labels
