"""Fingerprints of decoded data: the same whatever file format or place the data came from.

With images (n, C, H, W) uint8 and labels (n,) int64, both as little-endian bytes in C order, and a header
that gives type and shape:

* ordered: SHA-256 of header, images, header, labels, in the order of the rows;
* content: SHA-256 of the header and the sorted SHA-256 digests of (image, label), one for each row.

Where images stay encoded, the bytes of their files are taken in place of pixels, in `ordered` each after its length
as eight bytes, and the first header is `encoded (n,)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

from repro.data.declare import DataSet
from repro.data.schema import Fingerprints
from repro.recipes.schema import Deviation


class Fingerprint(NamedTuple):
    """Two SHA-256 values in hex: with and without regard to the order of the rows."""

    ordered: str
    content: str


@dataclass(frozen=True)
class Check:
    """How a fingerprint compares with the declared ones; `note` says what a known copy is."""

    content: Literal["verified", "differs", "not on record"]
    ordered: Literal["verified", "known copy", "differs", "not on record"]
    note: str | None = None


def fingerprint(images: Tensor, labels: Tensor) -> Fingerprint:
    """images (n, C, H, W) uint8, labels (n,) int64, on the CPU."""
    pixels, numbers = _arrays(images, labels)
    rows = sorted(_row(image, label) for image, label in zip(pixels, numbers, strict=True))
    content = hashlib.sha256(_header(pixels) + b"".join(rows))
    return Fingerprint(ordered(images, labels), content.hexdigest())


def ordered(images: Tensor, labels: Tensor) -> str:
    """The part of the fingerprint that is quick to compute: a few tenths of a second for CIFAR."""
    digest = hashlib.sha256()
    for array in _arrays(images, labels):
        digest.update(_header(array))
        digest.update(array.data)
    return digest.hexdigest()


def fingerprint_encoded(images: Iterable[bytes | None], labels: Tensor) -> Fingerprint:
    """Encoded images and labels (n,) int64. A missing image counts as an empty one."""
    numbers = labels.contiguous().numpy().astype("<i8")
    header = f"encoded ({len(numbers)},)\n".encode()
    ordered, rows = hashlib.sha256(header), []
    for image, label in zip(images, numbers, strict=True):
        image = image or b""
        ordered.update(len(image).to_bytes(8, "little"))
        ordered.update(image)
        rows.append(hashlib.sha256(image + label.tobytes()).digest())
    ordered.update(_header(numbers))
    ordered.update(numbers.data)
    return Fingerprint(ordered.hexdigest(), hashlib.sha256(header + b"".join(sorted(rows))).hexdigest())


def check(known: Fingerprints, found: Fingerprint) -> Check:
    """Compares what was found with what is declared. Orders without a note are the official one."""
    official = [order.sha for order in known.ordered if not order.note]
    note = next((order.note for order in known.ordered if order.sha == found.ordered), None)
    return Check(
        content=_verdict(found.content, [known.content] if known.content else []),
        ordered="known copy" if note else _verdict(found.ordered, official),
        note=note,
    )


def _verdict(found: str, known: list[str]) -> Literal["verified", "differs", "not on record"]:
    if not known:
        return "not on record"
    return "verified" if found in known else "differs"


def deviations(declared: DataSet, split: str, result: Check) -> list[Deviation]:
    """What a record has to say about the data: rows in an order that is not known to be the official one."""
    if result.ordered not in ("known copy", "differs"):
        return []
    return [
        Deviation(
            what=f"order of the rows of {declared.name}, split {split}",
            paper="the official release",
            here=result.note or "an order that is not on record",
            why=f"images and labels as a set: {result.content}",
        )
    ]


def _arrays(images: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return images.contiguous().numpy(), labels.contiguous().numpy().astype("<i8")


def _header(array: np.ndarray) -> bytes:
    return f"{array.dtype.name} {array.shape}\n".encode()


def _row(image: np.ndarray, label: np.int64) -> bytes:
    digest = hashlib.sha256(image.data)
    digest.update(label.tobytes())
    return digest.digest()
