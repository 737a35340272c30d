"""Named data sets, as tensors in memory or as encoded images in files, checked against what is declared."""

from __future__ import annotations

from typing import Any

import torch

from repro import keys, modules
from repro.data import cache, stream, tables
from repro.data.alike import alike
from repro.data.available import Files, available, decoded_path, find_decoded, find_files, needed, place
from repro.data.cache import Rows
from repro.data.declare import DataSet, declaration
from repro.data.decode import decode
from repro.data.download import download
from repro.data.fingerprint import Check, Fingerprint, agreed, check, deviations, fingerprint
from repro.data.images import ImageSet, image_set
from repro.data.table import Table
from repro.errors import UserError, suggestion

SMALL = 64  # pixels of a side


def load(name: str, split: str) -> Any:
    """The split, from the decoded cache, `$REPRO_DATA`, the hub's local cache, or an installed package: an ImageSet,
    or for a set with `fields` a Table.

    Nothing is downloaded. Raises UserError when the data is missing (with the way to get it), damaged, or
    not the declared content.
    """
    declared = _declared(name, split)
    if declared.fields:
        return _table(declared, split)
    if declared.varied:
        return _streamed(declared, split, _files(declared, split))
    return _image_set(declared, split, _rows(declared, split))


def get(name: str, repo: str | None = None) -> list[Any]:
    """All splits, downloaded from the hub if they are not here, decoded, verified, and kept.

    `repo` takes the place of the declared repository of images: another one, or a folder of Parquet files.
    """
    declared = declaration(name)
    if declared.source.derived:
        get(declared.source.derived.of, repo)
    if declared.source.derived or (repo is None and available(name)):
        return [load(name, split) for split in declared.splits]
    if declared.fields:
        return _tables(declared)
    files = download(declared, repo)
    if declared.varied:
        return [_streamed(declared, s, files[s]) for s in declared.splits]
    return [_image_set(declared, s, _decoded(declared, s, files[s])) for s in declared.splits]


def _tables(declared: DataSet) -> list[Any]:
    """All splits of a set with fields; what is missing of it and of the sets that it needs comes from the hub."""
    for part in {part.name: part for part, split in needed(declared) if not place(part, split)}.values():
        if part.source.hub:
            download(part, None)
    return [_table(declared, split) for split in declared.splits]


def verify(name: str, split: str) -> Check:
    """Computes the fingerprint of what `load` gives anew. Decoded data that has changed is made again."""
    declared = _declared(name, split)
    if declared.fields:
        return check(declared.fingerprints[split], tables.fingerprint_of(declared, split))
    if declared.varied:
        files = _files(declared, split)
        images, labels = stream.opened(declared, split, files)
        again = stream.fingerprint_of(declared, split, files, images, labels, anew=True)
        return check(declared.fingerprints[split], again)
    rows = _rows(declared, split)
    found = fingerprint(rows.images, rows.labels)
    if found == rows.fingerprint:
        return check(declared.fingerprints[split], found)
    path = find_decoded(declared, split, find_files(declared, split))
    assert path is not None  # only rows from the cache can differ from the fingerprint they came with
    cache.discard(path, "its fingerprint has changed")
    return verify(name, split)


def look_alike(name: str, split: str, n: int, key: int) -> Any:
    """`n` random samples of the set's shape, for trials of the wiring, a Table or ImageSet. Images are noise (from
    `key`) around a colour for each class, the same in all splits; about four images a class. Equal arguments give
    equal samples. Colour images have no more than 64×64 pixels. For other kinds see `repro.data.alike`."""
    declared = _declared(name, split)
    if declared.fields:
        return alike(declared, split, n, key)
    classes = declared.classes_in(split)
    channels, height, width = declared.shape
    if channels == 3:
        height, width = min(height, SMALL), min(width, SMALL)
    labels = torch.arange(n) % min(classes, max(1, n // 4))
    colours = keys.uniform(keys.key("look-alike", name), torch.arange(classes), channels)
    noise = torch.randn((n, channels, height, width), generator=keys.generator(key))
    images = (64 + 128 * colours[labels, :, None, None] + 32 * noise).clamp(0, 255).to(torch.uint8)
    if split in declared.unlabelled:
        labels = torch.full_like(labels, -1)
    facts: dict[str, Any] = {"classes": classes, "mean": declared.mean, "std": declared.std}
    return image_set(images, labels, name=name, split=split, **facts)


def _declared(name: str, split: str) -> DataSet:
    declared = declaration(name)
    if split not in declared.splits:
        near = suggestion(split, declared.splits) or f"; it has {', '.join(declared.splits)}"
        raise UserError(f"Data set `{name}` has no split `{split}`{near}")
    return declared


def _table(declared: DataSet, split: str) -> Table:
    made = tables.made(declared, split)
    result = agreed(declared, split, made.fingerprint, made.where)
    return Table(
        fields=made.fields,
        name=declared.name,
        split=split,
        shape=declared.shape,
        classes=declared.classes_in(split),
        facts=made.facts,
        fingerprint=made.fingerprint,
        deviations=deviations(declared, split, result),
    )


def _image_set(declared: DataSet, split: str, rows: Rows) -> ImageSet:
    return image_set(rows.images, rows.labels, **_facts(declared, split, rows.fingerprint, rows.where))


def _streamed(declared: DataSet, split: str, files: Files) -> ImageSet:
    images, labels = stream.opened(declared, split, files)
    found = stream.fingerprint_of(declared, split, files, images, labels)
    facts = _facts(declared, split, found, str(files.paths[0].parent))
    return image_set(images, labels, declared.shape, **facts)


def _facts(declared: DataSet, split: str, found: Fingerprint, where: str) -> dict[str, Any]:
    """What is to be known of a split beside images and labels. Raises UserError when they are not the declared."""
    result = agreed(declared, split, found, where)
    return {
        "name": declared.name,
        "split": split,
        "classes": declared.classes_in(split),
        "mean": declared.mean,
        "std": declared.std,
        "fingerprint": found,
        "deviations": deviations(declared, split, result),
    }


def _rows(declared: DataSet, split: str) -> Rows:
    """The rows as they are found, not yet compared with the declared fingerprints."""
    if function := declared.source.bundled or (declared.source.derived and declared.source.derived.by):
        return _given(function, split)
    files = find_files(declared, split)
    path = find_decoded(declared, split, files)
    rows = cache.read(path, (declared.splits[split], *declared.shape)) if path else None
    if rows is not None and check(declared.fingerprints[split], rows.fingerprint).content != "differs":
        return rows
    return _decoded(declared, split, files or _files(declared, split))


def _files(declared: DataSet, split: str) -> Files:
    """The split's files. Raises UserError, with the way to get them, when they are not here."""
    files = find_files(declared, split)
    if files is None:
        raise UserError(f"Data set `{declared.name}`, split `{split}`, is not here: {declared.how_to_get}.")
    return files


def _decoded(declared: DataSet, split: str, files: Files) -> Rows:
    """Decodes the files and keeps the result, unless it is not what it should be."""
    images, labels = decode(declared, split, files)
    rows = Rows(images, labels, fingerprint(images, labels), str(files.paths[0].parent))
    if check(declared.fingerprints[split], rows.fingerprint).content != "differs":
        cache.write(decoded_path(declared, split, files.digest), rows)
    return rows


def _given(function: str, split: str) -> Rows:
    images, labels = map(torch.from_numpy, modules.function(function)(split))
    return Rows(images, labels, fingerprint(images, labels), function.partition(":")[0])
