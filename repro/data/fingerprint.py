"""Fingerprints of decoded data: the same whatever file format or place the data came from.

With images (n, C, H, W) uint8 and labels (n,) int64, both as little-endian bytes in C order, and a header
that gives type and shape:

* ordered: SHA-256 of header, images, header, labels, in the order of the rows;
* content: SHA-256 of the header and the sorted SHA-256 digests of (image, label), one for each row.

Other columns follow each other in the same way, in the order of their declaration: the header of the first begins
`content`. Texts are UTF-8 after their length as eight bytes, under the header `bytes (n,)`; a missing one is a zero
byte. Numbers are float64, the missing ones NaN. What belongs to the set as a whole follows at the end of both, as
header and bytes.

Where images stay encoded, the bytes of their files are taken in place of pixels, in `ordered` each after its length
as eight bytes, and the first header is `encoded (n,)`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor

from repro.data.declare import DataSet
from repro.data.schema import Fingerprints
from repro.errors import UserError
from repro.recipes.schema import Deviation

Column = np.ndarray | Sequence[bytes]


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
    return of_columns(_arrays(images, labels))


def ordered(images: Tensor, labels: Tensor) -> str:
    """The part of the fingerprint that is quick to compute: a few tenths of a second for CIFAR."""
    return _ordered(_arrays(images, labels)).hexdigest()


def of_columns(columns: Sequence[Column], facts: Sequence[np.ndarray] = ()) -> Fingerprint:
    """Columns of numbers (n, …), little-endian, or of n texts as bytes; `facts` are of the set as a whole."""
    ordered = _ordered(columns)
    rows = sorted(hashlib.sha256(b"".join(row)).digest() for row in zip(*map(_entries, columns), strict=True))
    content = hashlib.sha256(_header(columns[0]) + b"".join(rows))
    for digest, array in itertools.product((ordered, content), facts):
        digest.update(_header(array))
        digest.update(array.data)
    return Fingerprint(ordered.hexdigest(), content.hexdigest())


def _ordered(columns: Sequence[Column]) -> Any:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(_header(column))
        digest.update(column.data if isinstance(column, np.ndarray) else b"".join(_entries(column)))
    return digest


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


def agreed(declared: DataSet, split: str, found: Fingerprint, where: str) -> Check:
    """How what was found `where` compares. Raises UserError when it is not the declared content."""
    known = declared.fingerprints[split]
    result = check(known, found)
    if result.content == "differs":
        what = "images or labels" if declared.fields is None else "rows"
        raise UserError(
            f"{where}: {what} of `{declared.name}`, split `{split}`, are not those of the release "
            f"(content {found.content[:12]}…, expected {str(known.content)[:12]}…); "
            f"remove the files and {declared.how_to_get}."
        )
    return result


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
            why=f"{'images and labels' if declared.fields is None else 'rows'} as a set: {result.content}",
        )
    ]


def _arrays(images: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return images.contiguous().numpy(), labels.contiguous().numpy().astype("<i8")


def _header(column: Column) -> bytes:
    if isinstance(column, np.ndarray):
        return f"{column.dtype.name} {column.shape}\n".encode()
    return f"bytes ({len(column)},)\n".encode()


def _entries(column: Column) -> Iterator[bytes | memoryview]:
    if not isinstance(column, np.ndarray):
        return (len(entry).to_bytes(8, "little") + entry for entry in column)
    return (entry.tobytes() if column.ndim == 1 else entry.data for entry in column)
