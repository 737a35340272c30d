"""The fields of data sets that are not images, as declared: kinds of fields and the columns they are made of."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, PositiveInt, model_validator

from repro.recipes.schema import Part


class Reading(NamedTuple):
    """What a column has to hold: `text`, `number`, `category`, `label` or `list`; `gaps` are missing values."""

    what: str
    gaps: bool = False


class TokensField(Part):
    """Text as tokens, ragged int64, numbered by the set's vocabulary; several columns with `<sep>` in between."""

    kind: Literal["tokens"]
    columns: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def readings(self) -> dict[str, Reading]:
        return dict.fromkeys(self.columns, Reading("text"))


class StreamField(Part):
    """All text of the split as one stream of tokens, rows joined as they are; an entry for each position."""

    kind: Literal["stream"]
    column: str

    @property
    def readings(self) -> dict[str, Reading]:
        return {self.column: Reading("text")}


class FeaturesField(Part):
    """Columns of `numbers`, then one-hot `categories`, (n, d) float32.

    The categories are those of the training rows, sorted; others give zeros. Missing numbers become the `mean` of
    the training rows or `zero`, and missing categories zeros; without `missing` they are errors. With `standardise`,
    numbers lose the training rows' mean and are divided by their (population) standard deviation, where it is not 0.
    """

    kind: Literal["features"]
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    missing: Literal["mean", "zero"] | None = None
    standardise: bool = False

    @model_validator(mode="after")
    def _different_columns(self) -> FeaturesField:
        columns = (*self.numbers, *self.categories)
        if not columns or len(set(columns)) < len(columns):
            raise ValueError("needs `numbers` or `categories`, each column once")
        return self

    @property
    def fitted(self) -> bool:
        """Whether the training rows say something about the others."""
        return bool(self.standardise or self.categories or self.missing == "mean")

    @property
    def readings(self) -> dict[str, Reading]:
        gaps = self.missing is not None
        numbers = dict.fromkeys(self.numbers, Reading("number", gaps))
        return numbers | dict.fromkeys(self.categories, Reading("category", gaps))


class NumberField(Part):
    """A number of each sample, (n,) float32: the `target` of a regression, or the `score` of a pair.

    With `standardise` it is standardised by the training rows; `facts` then have mean and deviation under its name.
    """

    kind: Literal["target", "score"]
    column: str
    standardise: bool = False

    @property
    def fitted(self) -> bool:
        """Whether the training rows say something about the others."""
        return self.standardise

    @property
    def readings(self) -> dict[str, Reading]:
        return {self.column: Reading("number")}


class LabelField(Part):
    """A class of each sample, (n,) int64 below `classes`; with `gaps`, null or −1 stands for none."""

    kind: Literal["label"]
    column: str
    gaps: bool = False

    @property
    def readings(self) -> dict[str, Reading]:
        return {self.column: Reading("label", self.gaps)}


class NodeField(Part):
    """The number of a node of the set's graph, (n,) int64: its row in the files."""

    readings: ClassVar[dict[str, Reading]] = {}

    kind: Literal["node"]


FieldSpec = Annotated[
    TokensField | StreamField | FeaturesField | NumberField | LabelField | NodeField,
    Field(discriminator="kind"),
]


class VocabularyOptions(Part):
    """How text becomes tokens: `by` words (runs of letters and digits; other signs one by one) or by characters.

    The vocabulary holds what occurs `least` times in the text of the training rows, the most frequent first, ties in
    the order of their code points; with the marks (see `repro.data.vocabulary`) at most `limit`. Or it is the one
    `of` another set, read in the same way. (Tokenisers from the hub would be a further way.)
    """

    by: Literal["words", "characters"] = "words"
    lower: bool = False
    limit: PositiveInt | None = None
    least: PositiveInt = 1
    of: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> VocabularyOptions:
        if self.of is not None and self.model_fields_set != {"of"}:
            raise ValueError("with `of`, everything else is that set's")
        return self


class Whole(Part):
    """Splits that are cut out of one whole: the `files` (`<name>-*.parquet`, those that are there, in this order).

    With `by`, a column names the split of each row; without, the splits follow each other in a stream.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    by: str | None = None


class Graph(Part):
    """The graph whose nodes are the rows of the whole: `facts` get `features` (N, d) and `edges` (2, E).

    `features` names a column of lists: the features that are 1. The `edges` are in files of that name, each once,
    with the columns `ends`.
    """

    features: str
    edges: str = "edges"
    ends: tuple[str, str] = ("source", "target")
