"""Where records are kept: `records/<recipe>/<hash>-seed<k>.json`, one file per run, and its pictures beside it.

A record that a later run of the same recipe and seed takes the place of is kept in `records/<recipe>/earlier/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from repro.errors import UserError
from repro.files import copy, write_text
from repro.recipes.problems import first_of
from repro.results.record import Record, opened


@dataclass(frozen=True)
class Store:
    """The records below the folder `root`, which need not exist.

    `left_out` collects, while records are read, the files that do not count, each with the reason.
    """

    root: Path
    left_out: dict[Path, str] = field(default_factory=dict, compare=False)

    def path(self, recipe: str, hash: str, seed: int) -> Path:
        """Where the record of this run is, or would be."""
        return self.root / "records" / recipe / f"{hash[:12]}-seed{seed}.json"

    def save(self, record: Record, drawn: Path | None = None) -> Path:
        """Writes the record atomically after its pictures; an earlier one of the same run is kept aside.

        `drawn` is the folder that holds the pictures. Raises UserError when the disk refuses.
        """
        path = self.path(record.recipe, record.hash, record.seed)
        self._keep_aside(path)
        if drawn:
            for name in record.artifacts:
                copy(drawn / name, path.with_suffix("") / name)
        write_text(path, record.to_json())
        return path

    def _keep_aside(self, path: Path) -> None:
        """Copies the record at `path`, if there is one, and its pictures to where earlier records are."""
        if not path.exists():
            return
        taken = sum(1 for _ in (path.parent / "earlier").glob(f"{path.stem}.*.json"))
        aside = path.parent / "earlier" / f"{path.stem}.{taken + 1}"
        for picture in (p for p in path.with_suffix("").glob("*/*") if p.is_file()):
            copy(picture, aside / picture.relative_to(path.with_suffix("")))
        copy(path, aside.with_name(f"{aside.name}.json"))

    def pictures(self, record: Record) -> list[Path]:
        """The record's pictures that are there; only files beside the record, not what a link leads to elsewhere."""
        folder = self.path(record.recipe, record.hash, record.seed).with_suffix("")
        found = [folder / name for name in record.artifacts if (folder / name).is_file()]
        return [path for path in found if path.resolve().is_relative_to(folder.resolve())]

    def load(self, path: Path, curves: bool = True) -> Record:
        """The record in a file, with its curves or, faster, without.

        Raises UserError when the file is not a whole and valid record, or not the one that was written.
        """
        try:
            text = opened(path.read_text(encoding="utf-8"))
            return Record.model_validate_json(text if curves else _without_curves(text))
        except OSError as error:
            raise UserError(f"Record {path} cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            problem = first_of(error)
        except (UserError, ValueError, RecursionError) as error:
            problem = str(error) or "nested too deeply"
        raise UserError(
            f"{path} is not a record that this version can read ({problem}); restore the file, or move it away "
            "and run the recipe again."
        )

    def of(self, recipe: str) -> list[Record]:
        """All records of a recipe, also of its earlier versions, in the order of their names, without curves.

        Not those that were put aside; and what does not count is in `left_out`.
        """
        return list(self._in(self.root / "records" / recipe))

    def all(self) -> list[Record]:
        """All records, by recipe, without curves."""
        folders = sorted(p for p in (self.root / "records").glob("*") if p.is_dir())
        return [record for folder in folders for record in self._in(folder)]

    def has(self, recipe: str) -> bool:
        """Whether there is a folder for the recipe's records."""
        return (self.root / "records" / recipe).is_dir()

    def earlier(self, recipe: str) -> list[Path]:
        """The files of the recipe's records that were put aside."""
        return sorted((self.root / "records" / recipe / "earlier").glob("*.json"))

    def _in(self, folder: Path) -> Iterator[Record]:
        for path in sorted(folder.glob("[!.]*.json")):
            try:
                record = self.load(path, curves=False)
                self._in_its_place(path, record)
            except UserError as error:
                self.left_out[path] = str(error)
            else:
                yield record

    def _in_its_place(self, path: Path, record: Record) -> None:
        """A file has the name that its content gives it, so that no run can count twice."""
        own = self.path(record.recipe, record.hash, record.seed)
        if (path.parent.name, path.name) != (own.parent.name, own.name):
            raise UserError(
                f"{path} is a record of `{record.recipe}` with seed {record.seed}, whose place is {own}; it does not "
                "count. Move it there if no other is."
            )


def _without_curves(text: str) -> str:
    """Cuts off the last and by far the longest line of a record; a file in another layout stays as it is."""
    head, curves, rest = text.partition(',\n"curves": ')
    return head + "}" if curves and rest.count("\n") == 2 and rest.endswith("}\n}\n") else text
