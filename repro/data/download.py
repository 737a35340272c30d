"""Downloads from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from repro.data.available import Files
from repro.data.declare import DataSet
from repro.errors import UserError


def download(declared: DataSet, repo: str | None) -> dict[str, Files]:
    """The Arrow files of each split that `datasets` has downloaded and kept in its own cache."""
    hub = declared.source.hub
    if hub is None:
        raise UserError(f"Data set `{declared.name}` cannot be downloaded: {declared.how_to_get}.")
    import datasets  # takes seconds to import

    try:
        found = datasets.load_dataset(repo or hub.repo, None if repo else hub.config)
        parts = {
            split: [part["filename"] for part in found[declared.hub_split(split)].cache_files]
            for split in declared.splits
        }
    except Exception as error:  # errors of several libraries, from name resolution to HTTP
        reason = " ".join(str(error).split())
        raise UserError(
            f"Data set `{declared.name}` could not be fetched from {repo or hub.repo} ({reason}); try again, "
            f"or {declared.how_to_bring}."
        ) from None
    return {split: Files("hub cache", hub, tuple(map(Path, names))) for split, names in parts.items()}
