"""Where the data of a set would come from, found without loading torch, numpy or pyarrow.

The places, in order: `$REPRO_DATA/<folder>/<split>-*.parquet` (or `.arrow`), then the hub's local cache (Arrow files
that `datasets` wrote); the split has the hub's name. Rows that were decoded once are kept in a decoded cache whose
file names carry a digest of the files they came from; when those are gone, the decoded rows still serve.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro import paths
from repro.data.declare import TRAIN, DataSet, declaration
from repro.data.schema import Columns, Hub
from repro.errors import UserError


@dataclass(frozen=True)
class Files:
    """The files that hold the encoded rows of one split, in order. `place` is `REPRO_DATA` or `hub cache`."""

    place: str
    columns: Columns
    paths: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """Names this state of the files: 16 hex digits of a hash of their paths, sizes and times of change."""
        stats = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in self.paths]
        return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]

    @property
    def to_remove(self) -> str:
        """What has to go before good data can take its place; `datasets` keeps and drops whole folders."""
        return "this file" if self.place == "REPRO_DATA" else f"the folder {self.paths[0].parent}"


class DeadLink(UserError):
    """A file of a data set is a link to what is not there."""


def available(name: str) -> str | None:
    """The place or places that the data comes from, or None when a split is missing.

    One of `bundled`, `cache` (decoded before), `REPRO_DATA`, `hub cache`. Raises UserError for an unknown name.
    """
    try:
        places = [place(declared, split) for declared, split in needed(declaration(name))]
    except DeadLink:  # `lacking` says why
        return None
    return None if None in places else ", ".join(dict.fromkeys(map(str, places)))


def lacking(name: str) -> str:
    """Of a set that is not available: what is wrong with its files, or else the way to get it."""
    declared = declaration(name)
    try:
        for part, split in needed(declared):
            if place(part, split) is None and part.name != name:
                return f"it needs `{part.name}`; {part.how_to_get}"
    except DeadLink as error:
        return str(error).rstrip(".")
    return declared.how_to_get


def needed(declared: DataSet) -> Iterator[tuple[DataSet, str]]:
    """The sets and splits that a set is read from: its own or those that it is made of, and its vocabulary's."""
    if declared.source.union:
        yield from ((declaration(part), TRAIN) for part in declared.source.union)
    elif declared.source.derived:
        yield from needed(declaration(declared.source.derived.of))
    else:
        yield from ((declared, split) for split in declared.splits)
    if declared.vocabulary and declared.vocabulary.of:
        yield from needed(declaration(declared.vocabulary.of))


def place(declared: DataSet, split: str) -> str | None:
    """Where one split comes from, or None."""
    if declared.source.bundled:
        return "bundled"
    files = find_files(declared, split)
    if declared.fields is None and find_decoded(declared, split, files):
        return "cache"
    if declared.graph and find(declared, (declared.graph.edges,)) is None:
        return None
    return files.place if files else None


def find_files(declared: DataSet, split: str) -> Files | None:
    """The files of a split under `$REPRO_DATA` or in the hub's cache, or None. Raises DeadLink."""
    return find(declared, declared.stems(split))


def find(declared: DataSet, stems: Sequence[str]) -> Files | None:
    """Those files of a set whose names begin so, in the order of the beginnings, or None. Raises DeadLink."""
    if declared.columns is None:
        return None
    if root := os.environ.get("REPRO_DATA"):
        folder = paths.from_home(root) / (declared.folder or declared.name)
        for kind in ("parquet", "arrow"):
            if found := [path for stem in stems for path in sorted(folder.glob(f"{stem}-*.{kind}"))]:
                _follow(found)
                return Files("REPRO_DATA", declared.columns, tuple(found))
    if declared.source.hub:
        parts = [_hub_files(declared.source.hub, stem) for stem in stems]
        if found := [path for part in parts for path in part]:
            return Files("hub cache", declared.columns, tuple(found))
    return None


def _follow(found: list[Path]) -> None:
    for path in found:
        if not path.exists():
            raise DeadLink(
                f"{path} is a link to {path.readlink()}, which is not there; mend the link or remove it."
            )


def find_decoded(declared: DataSet, split: str, files: Files | None) -> Path | None:
    """The decoded rows of these files or, when there are no files, the newest decoded rows of the split."""
    path = decoded_path(declared, split, files.digest if files else "?" * 16)
    found = sorted(path.parent.glob(path.name), key=lambda p: p.stat().st_mtime)
    return found[-1] if found else None


def decoded_path(declared: DataSet, split: str, digest: str) -> Path:
    return paths.cache_dir() / "data" / f"{declared.name}-{split}-{digest}.safetensors"


def fingerprint_path(declared: DataSet, split: str, digest: str) -> Path:
    """Where the fingerprint of a split is kept whose images stay encoded."""
    return paths.cache_dir() / "data" / f"{declared.name}-{split}-{digest}.json"


def _hub_files(hub: Hub, split: str) -> list[Path]:
    """The newest complete copy: <cache>/<owner>___<name>/<config>/<version>/<commit>/<name>-<split>[-…].arrow."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    root = paths.from_home(os.environ.get("HF_DATASETS_CACHE") or f"{home}/datasets")
    name = hub.repo.rpartition("/")[2]
    folders = [
        folder
        for folder in root.glob(f"{hub.repo.replace('/', '___')}/{hub.config or '*'}/*/*")
        if folder.suffix != ".incomplete"
    ]
    for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True):
        found = [*folder.glob(f"{name}-{split}.arrow"), *folder.glob(f"{name}-{split}-*.arrow")]
        if found:
            return sorted(found)
    return []
