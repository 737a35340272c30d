"""Splits whose images have sizes of their own: found, checked and fingerprinted, but not decoded."""

from __future__ import annotations

import logging

from torch import Tensor
from tqdm import tqdm

from repro.data.available import Files, fingerprint_path
from repro.data.declare import DataSet
from repro.data.decode import labels_of, opened_files
from repro.data.encoded import Encoded
from repro.data.file import File
from repro.data.fingerprint import Fingerprint, fingerprint_encoded
from repro.errors import UserError
from repro.files import read_json, write_json

log = logging.getLogger(__name__)
LARGE = 2**27  # bytes of a row group


def opened(declared: DataSet, split: str, files: Files) -> tuple[Encoded, Tensor]:
    """The encoded images and the labels (n,) int64. Raises UserError when the files are not as declared.

    Whether the images can be decoded shows only when they are.
    """
    sources = opened_files(declared, split, files)
    _advise(sources[0])
    return Encoded(sources, declared.shape[0]), labels_of(declared, split, sources)


def fingerprint_of(
    declared: DataSet, split: str, files: Files, images: Encoded, labels: Tensor, anew: bool = False
) -> Fingerprint:
    """The fingerprint of the encoded images, which takes a reading of all files; it is remembered for them."""
    path = fingerprint_path(declared, split, files.digest)
    if path.exists() and not anew:
        try:
            return Fingerprint(**read_json(path))
        except (UserError, TypeError):
            log.warning("%s: the remembered fingerprint is damaged; it is made anew.", path)
    name = f"{declared.name} {split}: reading once"
    progress = tqdm(images, name, len(images), leave=False, disable=None, unit="img")
    found = fingerprint_encoded(progress, labels)
    try:
        write_json(path, found._asdict())
    except UserError as error:
        log.warning("%s Going on without.", error)
    return found


def _advise(file: File) -> None:
    """Warns of row groups so large that reading single images out of them takes far too long."""
    size = file.largest
    if size > LARGE:
        log.warning(
            "%s: row groups of %d MB make random access slow; write the files again with `row_group_size=100`.",
            file.path,
            size // 10**6,
        )
