"""What is known of each data set, read from `sets/<name>.yaml` without loading torch or numpy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from repro import modules
from repro.data.fields import (
    FeaturesField,
    FieldSpec,
    Graph,
    LabelField,
    NodeField,
    NumberField,
    Reading,
    StreamField,
    TokensField,
    VocabularyOptions,
    Whole,
)
from repro.data.schema import Columns, Fingerprints, Source
from repro.errors import UserError, readable, suggestion
from repro.files import by_name, only
from repro.names import UNDERSCORED, underscored
from repro.recipes import yaml
from repro.recipes.problems import InvalidFile, locate, problems_of
from repro.recipes.schema import Part

SETS = Path(__file__).parent / "sets"


TRAIN = "train"


class DataSet(Part):
    """A data set. `splits` gives the rows of each split, `shape` is that of a sample as networks see it.

    Without `fields` it is a set of images, of `shape` (C, H, W). They have that size or, where it is `varied`,
    sizes of their own: then `shape` is that of a view, and the images stay encoded until they are needed. With
    `any_mode`, and where sizes are varied, images of another mode than their channels say (grey among colour, CMYK)
    are converted, elsewhere they are errors. `mean` and `std` (population) are per channel, over all training
    pixels scaled to 0..1. The labels of `unlabelled` splits are -1, whatever the files say.

    With `fields`, `shape` is (d,) for features and (length, vocabulary) for text: a usual number of tokens of a
    sample (views have their own), and how many tokens there are. What is `whole` is cut into the splits.

    `classes` is a number, or one for each split where the splits have classes of their own. The files are in
    `folder` below $REPRO_DATA (default: the set's name).
    """

    name: str
    title: str
    licence: str
    citation: str
    splits: Annotated[dict[str, PositiveInt], Field(min_length=1)]
    shape: Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=3)]
    classes: NonNegativeInt | dict[str, PositiveInt] = 0
    mean: tuple[float, ...] = ()
    std: tuple[PositiveFloat, ...] = ()
    source: Source
    fingerprints: dict[str, Fingerprints]
    folder: str | None = None
    varied: bool = False
    any_mode: bool = False
    unlabelled: tuple[str, ...] = ()
    fields: Annotated[dict[str, FieldSpec], Field(min_length=1)] | None = None
    vocabulary: VocabularyOptions | None = None
    whole: Whole | None = None
    graph: Graph | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> DataSet:
        classes = self.classes if isinstance(self.classes, dict) else self.splits
        if not set(self.splits) == set(self.fingerprints) == set(classes):
            raise ValueError("`splits`, `fingerprints` and a mapping `classes` need the same keys")
        if more := {*self.unlabelled, *self._renamed} - set(self.splits):
            raise ValueError(f"there is no split `{min(more)}`")
        if fault := self._image_fault() if self.fields is None else field_fault(self):
            raise ValueError(fault)
        return self

    def _image_fault(self) -> str | None:
        """What does not fit in the declaration of a set of images."""
        if self.vocabulary or self.whole or self.graph or self.source.union:
            return "`vocabulary`, `whole`, `graph` and `source: union:` need `fields`"
        if self.columns and not (self.columns.image and self.columns.label):
            return "the source of a set of images needs the columns `image` and `label`"
        if self.classes == 0 or len(self.shape) != 3:
            return "a set of images needs `classes` and a `shape` of channels, height and width"
        if self.shape[0] not in (1, 3) or {len(self.mean), len(self.std)} != {self.shape[0]}:
            return "`mean` and `std` need a value for each of the 1 or 3 channels of `shape`"
        if self.varied and self.columns is None:
            return "a bundled set cannot be `varied`"
        return None

    @property
    def columns(self) -> Columns | None:
        """The columns of its Parquet files of images, or None for a set that is made of no files of its own."""
        return self.source.hub or self.source.parquet

    @property
    def how_to_get(self) -> str:
        """What to do when the data is not there, to follow `: ` or `to get it, `."""
        if derived := self.source.derived:
            return f"get `{derived.of}`, which it is made of"
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
        if self.source.union:
            return f"get {' and '.join(f'`{name}`' for name in self.source.union)}, which it is made of"
        if self.columns is None:
            return "install the project again (this set comes with its requirements)"
        names = ", ".join(f"{stem}-*.parquet" for stem in dict.fromkeys(self._stems))
        columns = (self.columns.image, self.columns.label) if self.fields is None else (*self.readings,)
        listed = ", ".join(f"`{c}`" for c in columns[:-1]) + " and " * (len(columns) > 1) + f"`{columns[-1]}`"
        return f"put {names} with columns {listed} into $REPRO_DATA/{self.folder or self.name}"

    @property
    def readings(self) -> dict[str, Reading]:
        """Column -> what it has to hold, for all columns that the fields are made of, in their order."""
        found: dict[str, Reading] = {}
        for spec in (self.fields or {}).values():
            found |= spec.readings
        if self.graph:
            found[self.graph.features] = Reading("list")
        return found

    @property
    def primary(self) -> str:
        """The name of the first field that networks see."""
        seen = (TokensField, StreamField, FeaturesField, NodeField)
        return next((name for name, spec in (self.fields or {}).items() if isinstance(spec, seen)), "")

    @property
    def sample_bytes(self) -> int:
        """About what a sample takes in memory, without what belongs to the set as a whole."""
        if self.fields is None:
            return prod(self.shape)
        wide = {"tokens": 8 * self.shape[0], "features": 4 * self.shape[-1], "stream": 16}
        return sum(wide.get(spec.kind, 8) for spec in self.fields.values())

    @property
    def _stems(self) -> Iterator[str]:
        """The beginnings of all its files' names."""
        for split in self.splits:
            yield from self.stems(split)
        if self.graph:
            yield self.graph.edges

    def stems(self, split: str) -> tuple[str, ...]:
        """How the names of the files begin that hold the rows of a split."""
        return self.whole.files if self.whole else (self.hub_split(split),)

    @property
    def _renamed(self) -> dict[str, str]:
        return self.source.hub.splits if self.source.hub else {}

    def hub_split(self, split: str) -> str:
        """The name of a split in the hub's repository, and in the names of files."""
        return self._renamed.get(split, split)

    def classes_in(self, split: str) -> int:
        return self.classes if isinstance(self.classes, int) else self.classes[split]


def field_fault(declared: DataSet) -> str | None:
    """What does not fit in the declaration of a set with fields."""
    specs = list((declared.fields or {}).values())
    text = any(isinstance(spec, TokensField | StreamField) for spec in specs)
    by_position = declared.whole is not None and declared.whole.by is None
    streamed = isinstance(specs[0], StreamField) and len(specs) == 1
    fitted = any(isinstance(spec, FeaturesField | NumberField) and spec.fitted for spec in specs)
    own = declared.vocabulary is not None and declared.vocabulary.of is None
    faults = {
        "`mean`, `std`, `varied`, `any_mode` and `unlabelled` are for sets of images": bool(
            declared.mean or declared.std or declared.varied or declared.any_mode or declared.unlabelled
        ),
        "needs a field of the kind `tokens`, `stream`, `features` or `node`": not declared.primary,
        "`shape` is (length, vocabulary) for text and (d,) for all else": len(declared.shape) != 1 + text,
        "text, and only text, needs a `vocabulary`": text != (declared.vocabulary is not None),
        "a `stream` has no other fields beside it": not streamed
        and any(isinstance(spec, StreamField) for spec in specs),
        "`whole` without `by` cuts a `stream`": by_position and not streamed,
        "a `graph` needs a field of the kind `node`, and the other way round": (declared.graph is not None)
        != any(isinstance(spec, NodeField) for spec in specs),
        "a `graph` needs `whole: by:`": declared.graph is not None
        and (declared.whole is None or declared.whole.by is None),
        f"what is taken from the training rows needs a split `{TRAIN}`": (fitted or own)
        and TRAIN not in declared.splits,
        "a field of the kind `label` needs `classes`, and the other way round": (declared.classes != 0)
        != any(isinstance(spec, LabelField) for spec in specs),
        "a `union` has one split, `train`, and reads the column `text`": declared.source.union is not None
        and ({*declared.splits}, {*declared.readings}) != ({TRAIN}, {"text"}),
    }
    return next((fault for fault, found in faults.items() if found), None)


def names() -> list[str]:
    """The names of all declared data sets, sorted."""
    return list(files())


def declaration(name: str) -> DataSet:
    """The declaration of a data set. Raises UserError, naming the nearest name, when there is none."""
    return _read(file_of(name))


def file_of(name: str) -> Path:
    """The file of a declaration. Raises UserError when there is none, or more than one."""
    known = files()
    if name not in known:
        near = suggestion(name, known) or "; `repro data list` shows all"
        raise UserError(f"No data set is called `{name:.100}`{near}")
    return only("data set", known[name])


def every() -> tuple[list[DataSet], list[UserError]]:
    """All valid declarations, by name; and what is wrong with each of the others."""
    return readable(declaration, names())


def files() -> dict[str, list[Path]]:
    """Name -> the files of that name: this package's, the project's, installed packages'."""
    return by_name([*modules.beside("data/sets"), SETS], "*.yaml")


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
