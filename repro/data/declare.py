"""What is known of each data set, read from `sets/<name>.yaml` without loading torch or numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from repro.errors import UserError, suggestion
from repro.recipes import yaml
from repro.recipes.problems import InvalidFile, problems_of
from repro.recipes.schema import Part

SETS = Path(__file__).parent / "sets"
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Order(Part):
    """The fingerprint of one order of the rows: the official one, or, with a note, that of a known copy."""

    sha: Sha
    note: str | None = None


class Fingerprints(Part):
    """What is known of one split (see `repro.data.fingerprint`). Nothing known: recorded, not verified."""

    content: Sha | None = None
    ordered: tuple[Order, ...] = ()


class Columns(Part):
    """The columns of the Parquet files: `image` holds encoded images, `label` integers from 0."""

    image: str
    label: str


class Hub(Columns):
    """A repository of Parquet files on the Hugging Face hub, whose splits have the names used here."""

    repo: str
    config: str | None = None
    mb: PositiveInt  # size of the download


class Source(Part):
    """Where the data comes from; exactly one of these.

    `hub`; `parquet`, when the user has to bring the files; `bundled`, a function `module:function` that
    takes the split's name and returns images (n, C, H, W) uint8 and labels (n,) as numpy arrays.
    """

    hub: Hub | None = None
    parquet: Columns | None = None
    bundled: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        if sum(value is not None for value in (self.hub, self.parquet, self.bundled)) != 1:
            raise ValueError("needs exactly one of `hub`, `parquet`, `bundled`")
        return self


class DataSet(Part):
    """One set of images of equal size. `splits` gives the rows of each split, `shape` is (C, H, W).

    `mean` and `std` (population) are per channel, over all training pixels scaled to 0..1. `classes` is a
    number, or one for each split where the splits have classes of their own.
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

    @model_validator(mode="after")
    def _parts_agree(self) -> DataSet:
        if self.shape[0] not in (1, 3) or {len(self.mean), len(self.std)} != {self.shape[0]}:
            raise ValueError("`mean` and `std` need a value for each of the 1 or 3 channels of `shape`")
        classes = self.classes if isinstance(self.classes, dict) else self.splits
        if not set(self.splits) == set(self.fingerprints) == set(classes):
            raise ValueError("`splits`, `fingerprints` and a mapping `classes` need the same keys")
        return self

    @property
    def columns(self) -> Columns | None:
        """The columns of its Parquet files, or None for a bundled set."""
        return self.source.hub or self.source.parquet

    @property
    def how_to_get(self) -> str:
        """What to do when the data is not there, to follow `: ` or `to get it, `."""
        if hub := self.source.hub:
            return f"run `repro data get {self.name}` ({hub.mb} MB), or {self.how_to_bring}"
        return self.how_to_bring

    @property
    def how_to_bring(self) -> str:
        """The same without a download."""
        if self.columns is None:
            return "install the project again (this set comes with its requirements)"
        names = ", ".join(f"{split}-*.parquet" for split in self.splits)
        columns = f"`{self.columns.image}` and `{self.columns.label}`"
        return f"put {names} with columns {columns} into $REPRO_DATA/{self.name}"

    def classes_in(self, split: str) -> int:
        return self.classes if isinstance(self.classes, int) else self.classes[split]


def names() -> list[str]:
    """The names of all declared data sets, sorted."""
    return sorted(path.stem for path in SETS.glob("*.yaml"))


def declaration(name: str) -> DataSet:
    """The declaration of a data set. Raises UserError, naming the nearest name, when there is none."""
    path = SETS / f"{name}.yaml"
    if name not in names():
        near = suggestion(name, names()) or "; `repro data list` shows all"
        raise UserError(f"No data set is called `{name}`{near}")
    return _read(path)


@cache
def _read(path: Path) -> DataSet:
    try:
        return DataSet.model_validate({"name": path.stem, **yaml.read(path)})
    except ValidationError as error:
        raise InvalidFile(problems_of(error, [path])) from None
