"""The decoded cache: one safetensors file for each split, mapped into memory when it is read.

The cache is a help and never an obstacle: what cannot be read is discarded and what cannot be written is
left out, with a warning.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from repro.data.fingerprint import Fingerprint, ordered
from repro.files import replacing

log = logging.getLogger(__name__)


class Rows(NamedTuple):
    """Images (n, C, H, W) uint8 and labels (n,) int64, with their fingerprint and where they came from."""

    images: Tensor
    labels: Tensor
    fingerprint: Fingerprint
    where: str


def read(path: Path, shape: tuple[int, ...]) -> Rows | None:
    """The rows that `write` put there; None, and the file is gone, when it is damaged, changed, or not of `shape`."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            images, labels = file.get_tensor("images"), file.get_tensor("labels")
        kinds = (images.shape, images.dtype, labels.shape, labels.dtype)
        if kinds != (shape, torch.uint8, shape[:1], torch.int64):
            raise ValueError("not the declared shape")
        if ordered(images, labels) != facts["ordered"]:
            raise ValueError("it has changed since it was written")
        return Rows(images, labels, Fingerprint(facts["ordered"], facts["content"]), str(path))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        discard(path, str(error))
        return None


def write(path: Path, rows: Rows) -> None:
    """Writes the rows whole or not at all, in place of older ones of the same split."""
    tensors = {"images": rows.images, "labels": rows.labels}
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata=rows.fingerprint._asdict())
        _forget_older(path)
    except (OSError, SafetensorError) as error:
        log.warning("%s: decoded data could not be kept (%s); going on without.", path.parent, error)


def discard(path: Path, why: str | None = None) -> None:
    """Removes a file of the cache, with a warning when there is a reason to give."""
    if why:
        log.warning("%s: the decoded data is damaged (%s); it is made anew.", path, why)
    with suppress(OSError):
        path.unlink()


def _forget_older(path: Path) -> None:
    """Without this, every change of a file's date would leave a copy of the data behind."""
    stem = path.stem.rpartition("-")[0]
    for other in path.parent.glob(f"{stem}-{'?' * 16}{path.suffix}"):
        if other != path:
            discard(other)
