"""What is known of each data set, read from `sets/<name>.yaml` without loading torch or numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from repro.data.schema import Columns, Fingerprints, Source
from repro.errors import UserError, readable, suggestion
from repro.files import listed
from repro.names import UNDERSCORED, underscored
from repro.recipes import yaml
from repro.recipes.problems import InvalidFile, locate, problems_of
from repro.recipes.schema import Part

SETS = Path(__file__).parent / "sets"


class DataSet(Part):
    """One set of images. `splits` gives the rows of each split, `shape` is (C, H, W).

    The images have that size or, where it is `varied`, sizes of their own: then `shape` is that of a view, and
    the images stay encoded until they are needed. With `any_mode`, and where sizes are varied, images of another
    mode than their channels say (grey among colour, CMYK) are converted, elsewhere they are errors.
    `mean` and `std` (population) are per channel, over all training pixels scaled to 0..1. `classes` is a
    number, or one for each split where the splits have classes of their own. The labels of `unlabelled` splits
    are -1, whatever the files say.
    """

    name: str
    title: str
    licence: str
    citation: str
    splits: Annotated[dict[str, PositiveInt], Field(min_length=1)]
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: PositiveInt | dict[str, PositiveInt]
    mean: tuple[float, ...]
    std: tuple[PositiveFloat, ...]
    source: Source
    fingerprints: dict[str, Fingerprints]
    varied: bool = False
    any_mode: bool = False
    unlabelled: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _parts_agree(self) -> DataSet:
        if self.shape[0] not in (1, 3) or {len(self.mean), len(self.std)} != {self.shape[0]}:
            raise ValueError("`mean` and `std` need a value for each of the 1 or 3 channels of `shape`")
        classes = self.classes if isinstance(self.classes, dict) else self.splits
        if not set(self.splits) == set(self.fingerprints) == set(classes):
            raise ValueError("`splits`, `fingerprints` and a mapping `classes` need the same keys")
        if more := {*self.unlabelled, *self._renamed} - set(self.splits):
            raise ValueError(f"there is no split `{min(more)}`")
        if self.varied and self.columns is None:
            raise ValueError("a set that a function gives cannot be `varied`")
        return self

    @property
    def columns(self) -> Columns | None:
        """The columns of its Parquet files, or None for a set that a function gives."""
        return self.source.hub or self.source.parquet

    @property
    def how_to_get(self) -> str:
        """What to do when the data is not there, to follow `: ` or `to get it, `."""
        if derived := self.source.derived:
            return f"it is made of `{derived.of}`: {declaration(derived.of).how_to_get}"
        if hub := self.source.hub:
            page = f"https://huggingface.co/datasets/{hub.repo}"
            run = f"run `repro data get {self.name}` ({hub.mb} MB), or {self.how_to_bring}"
            return (
                f"accept the licence at {page} and log in with `hf auth login`, then {run}"
                if hub.gated
                else run
            )
        return self.how_to_bring

    @property
    def how_to_bring(self) -> str:
        """The same without a download."""
        if self.columns is None:
            return "install the project again (this set comes with its requirements)"
        names = ", ".join(f"{self.hub_split(split)}-*.parquet" for split in self.splits)
        columns = f"`{self.columns.image}` and `{self.columns.label}`"
        return f"put {names} with columns {columns} into $REPRO_DATA/{self.name}"

    @property
    def _renamed(self) -> dict[str, str]:
        return self.source.hub.splits if self.source.hub else {}

    def hub_split(self, split: str) -> str:
        """The name of a split in the hub's repository, and in the names of files."""
        return self._renamed.get(split, split)

    def classes_in(self, split: str) -> int:
        return self.classes if isinstance(self.classes, int) else self.classes[split]


def names() -> list[str]:
    """The names of all declared data sets, sorted."""
    return [path.stem for path in listed(SETS, "*.yaml")]


def declaration(name: str) -> DataSet:
    """The declaration of a data set. Raises UserError, naming the nearest name, when there is none."""
    if name not in names():
        near = suggestion(name, names()) or "; `repro data list` shows all"
        raise UserError(f"No data set is called `{name:.100}`{near}")
    return _read(SETS / f"{name}.yaml")


def every() -> tuple[list[DataSet], list[UserError]]:
    """All valid declarations, by name; and what is wrong with each of the others."""
    return readable(declaration, names())


@cache
def _read(path: Path) -> DataSet:
    if not underscored(path.stem):
        raise UserError(
            f"{path}: `{path.stem}` is not usable as a data set's name ({UNDERSCORED}); rename the file."
        )
    values = yaml.read(path)
    if "name" in values:
        raise InvalidFile([locate(("name",), "is the file's name; leave it out", [path])])
    try:
        return DataSet.model_validate({"name": path.stem, **values})
    except ValidationError as error:
        raise InvalidFile(problems_of(error, [path])) from None
