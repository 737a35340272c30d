"""Named data sets as tensors in memory, each row checked against what is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from repro.data import cache
from repro.data.available import Files, available, decoded_path, find_decoded, find_files
from repro.data.cache import Rows
from repro.data.declare import DataSet, declaration
from repro.data.decode import decode
from repro.data.fingerprint import Check, Fingerprint, check, deviations, fingerprint
from repro.engine import keys
from repro.errors import UserError, suggestion
from repro.recipes.schema import Deviation


@dataclass(frozen=True)
class ImageSet:
    """One split of a data set: images (n, C, H, W) uint8 and labels (n,) int64, on the CPU.

    `mean` and `std` are those of the training pixels, per channel, in 0..1. `fingerprint` is None for
    generated data. `deviations` are what a record of a run has to say about the data.
    """

    images: Tensor
    labels: Tensor
    name: str
    split: str
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: Fingerprint | None = None
    deviations: list[Deviation] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


def load(name: str, split: str) -> ImageSet:
    """The split from the decoded cache, `$REPRO_DATA`, the hub's local cache, or an installed package.

    Nothing is downloaded. Raises UserError when the data is missing (with the way to get it), damaged, or
    not the declared content.
    """
    declared = _declared(name, split)
    return _image_set(declared, split, _rows(declared, split))


def get(name: str, repo: str | None = None) -> list[ImageSet]:
    """All splits, downloaded from the hub if they are not here, decoded, verified, and kept.

    `repo` takes the place of the declared repository: another one, or a folder of Parquet files.
    """
    declared = declaration(name)
    if repo is None and available(name):
        return [load(name, split) for split in declared.splits]
    files = _download(declared, repo)
    return [_image_set(declared, s, _decoded(declared, s, files[s])) for s in declared.splits]


def verify(name: str, split: str) -> Check:
    """Computes the fingerprint of what `load` gives anew. Decoded data that has changed is made again."""
    declared = _declared(name, split)
    rows = _rows(declared, split)
    found = fingerprint(rows.images, rows.labels)
    if found == rows.fingerprint:
        return check(declared.fingerprints[split], found)
    path = find_decoded(declared, split, find_files(declared, split))
    assert path is not None  # only rows from the cache can differ from the fingerprint they came with
    cache.discard(path, "its fingerprint has changed")
    return verify(name, split)


def look_alike(name: str, split: str, n: int, key: int) -> ImageSet:
    """`n` random images of the set's shape, for trials of the wiring: noise (from `key`) around a colour for
    each class, the same in all splits; about four images a class. Equal arguments give equal images."""
    declared = _declared(name, split)
    classes = declared.classes_in(split)
    labels = torch.arange(n) % min(classes, max(1, n // 4))
    colours = keys.uniform(keys.key("look-alike", name), torch.arange(classes), declared.shape[0])
    noise = torch.randn((n, *declared.shape), generator=keys.generator(key))
    images = (64 + 128 * colours[labels, :, None, None] + 32 * noise).clamp(0, 255).to(torch.uint8)
    return ImageSet(images, labels, name, split, classes, declared.mean, declared.std)


def _declared(name: str, split: str) -> DataSet:
    declared = declaration(name)
    if split not in declared.splits:
        near = suggestion(split, declared.splits) or f"; it has {', '.join(declared.splits)}"
        raise UserError(f"Data set `{name}` has no split `{split}`{near}")
    return declared


def _image_set(declared: DataSet, split: str, rows: Rows) -> ImageSet:
    result = check(declared.fingerprints[split], rows.fingerprint)
    if result.content == "differs":
        raise UserError(
            f"{rows.where}: images or labels of `{declared.name}`, split `{split}`, are not those of the release "
            f"(content {rows.fingerprint.content[:12]}…, expected "
            f"{str(declared.fingerprints[split].content)[:12]}…); remove the files and {declared.how_to_get}."
        )
    return ImageSet(
        images=rows.images,
        labels=rows.labels,
        name=declared.name,
        split=split,
        classes=declared.classes_in(split),
        mean=declared.mean,
        std=declared.std,
        fingerprint=rows.fingerprint,
        deviations=deviations(declared, split, result),
    )


def _rows(declared: DataSet, split: str) -> Rows:
    """The rows as they are found, not yet compared with the declared fingerprints."""
    if declared.source.bundled:
        return _bundled(declared.source.bundled, split)
    files = find_files(declared, split)
    path = find_decoded(declared, split, files)
    rows = cache.read(path, (declared.splits[split], *declared.shape)) if path else None
    if rows is not None:
        return rows
    if files is None:
        raise UserError(f"Data set `{declared.name}`, split `{split}`, is not here: {declared.how_to_get}.")
    return _decoded(declared, split, files)


def _decoded(declared: DataSet, split: str, files: Files) -> Rows:
    """Decodes the files and keeps the result, unless it is not what it should be."""
    images, labels = decode(declared, split, files)
    rows = Rows(images, labels, fingerprint(images, labels), str(files.paths[0].parent))
    if check(declared.fingerprints[split], rows.fingerprint).content != "differs":
        cache.write(decoded_path(declared, split, files.digest), rows)
    return rows


def _bundled(function: str, split: str) -> Rows:
    module, _, name = function.partition(":")
    images, labels = map(torch.from_numpy, getattr(import_module(module), name)(split))
    return Rows(images, labels, fingerprint(images, labels), module)


def _download(declared: DataSet, repo: str | None) -> dict[str, Files]:
    """The Arrow files of each split that `datasets` has downloaded and kept in its own cache."""
    hub = declared.source.hub
    if hub is None:
        raise UserError(f"Data set `{declared.name}` cannot be downloaded: {declared.how_to_get}.")
    import datasets  # takes seconds to import

    try:
        found = datasets.load_dataset(repo or hub.repo, None if repo else hub.config)
        parts = {split: [part["filename"] for part in found[split].cache_files] for split in declared.splits}
    except Exception as error:  # errors of several libraries, from name resolution to HTTP
        reason = " ".join(str(error).split())
        raise UserError(
            f"Data set `{declared.name}` could not be fetched from {repo or hub.repo} ({reason}); try again, "
            f"or {declared.how_to_bring}."
        ) from None
    return {split: Files("hub cache", hub, tuple(map(Path, names))) for split, names in parts.items()}
