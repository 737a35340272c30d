"""Where records are kept: `records/<recipe>/<hash>-seed<k>.json`, one file per run, and its pictures beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from repro.errors import UserError
from repro.files import copy, write_text
from repro.results.record import Record


@dataclass(frozen=True)
class Store:
    """The records below the folder `root`, which need not exist."""

    root: Path

    def path(self, recipe: str, hash: str, seed: int) -> Path:
        """Where the record of this run is, or would be."""
        return self.root / "records" / recipe / f"{hash[:12]}-seed{seed}.json"

    def save(self, record: Record, drawn: Path | None = None) -> Path:
        """Writes the record atomically, in place of an earlier one of the same run, after its pictures.

        `drawn` is the folder that holds them. Raises UserError when the disk refuses.
        """
        path = self.path(record.recipe, record.hash, record.seed)
        if drawn:
            for name in record.artifacts:
                copy(drawn / name, path.with_suffix("") / name)
        write_text(path, record.to_json())
        return path

    def pictures(self, record: Record) -> list[Path]:
        """The record's pictures that are there."""
        folder = self.path(record.recipe, record.hash, record.seed).with_suffix("")
        return [folder / name for name in record.artifacts if (folder / name).is_file()]

    def load(self, path: Path, curves: bool = True) -> Record:
        """The record in a file, with its curves or, faster, without.

        Raises UserError when the file is not a whole and valid record.
        """
        try:
            text = path.read_bytes()
            return Record.model_validate_json(text if curves else _without_curves(text))
        except OSError as error:
            raise UserError(f"Record {path} cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            problem = f"`{where}`: {first['msg']}" if where else first["msg"]
        except UserError as error:
            problem = str(error)
        raise UserError(
            f"{path} is not a record that this version can read ({problem}); restore the file, or move it away "
            "and run the recipe again."
        )

    def of(self, recipe: str) -> list[Record]:
        """All records of a recipe, also of its earlier versions, in the order of their names, without curves."""
        return list(self._in(self.root / "records" / recipe))

    def all(self) -> list[Record]:
        """All records, by recipe, without curves."""
        folders = sorted(p for p in (self.root / "records").glob("*") if p.is_dir())
        return [record for folder in folders for record in self._in(folder)]

    def _in(self, folder: Path) -> Iterator[Record]:
        for path in sorted(folder.glob("*.json")):
            record = self.load(path, curves=False)
            if record.recipe != folder.name:
                raise UserError(
                    f"{path} is a record of `{record.recipe}`; move it to {folder.parent / record.recipe}."
                )
            yield record


def _without_curves(text: bytes) -> bytes:
    """Cuts off the last and by far the longest line of a record; a file in another layout stays as it is."""
    head, curves, rest = text.partition(b',\n"curves": ')
    return head + b"}" if curves and rest.count(b"\n") == 2 and rest.endswith(b"}\n}\n") else text
