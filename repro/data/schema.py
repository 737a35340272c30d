"""The parts of a data set's declaration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from repro.recipes.schema import Part

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
    """The columns of the Parquet files of images: `image` holds encoded images, `label` integers from 0."""

    image: str = ""
    label: str = ""


class Hub(Columns):
    """A repository of Parquet files on the Hugging Face hub.

    `splits` gives the hub's names of splits that are called otherwise here. For a `gated` repository the user
    has to accept a licence first.
    """

    repo: str
    config: str | None = None
    mb: PositiveInt  # size of the download
    splits: dict[str, str] = Field(default_factory=dict)
    gated: bool = False


Function = Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]


class Derived(Part):
    """A set that the function `module:function` makes of another one; arguments and results are as of `bundled`."""

    of: str
    by: Function


class Source(Part):
    """Where the data comes from; exactly one of these.

    `hub`; `parquet`, when the user has to bring the files; `bundled`, a function `module:function` that
    takes the split's name and returns images (n, C, H, W) uint8 and labels (n,) as numpy arrays, or for a set with
    `fields` a mapping from columns to values (n,); `union`, the training texts of other sets, from the columns given
    for each, as the column `text`: every different text once, in the order of their first
    occurrence; `derived`, when a function makes it of another set.
    """

    hub: Hub | None = None
    parquet: Columns | None = None
    bundled: Function | None = None
    union: Annotated[dict[str, tuple[str, ...]], Field(min_length=1)] | None = None
    derived: Derived | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        given = (self.hub, self.parquet, self.bundled, self.union, self.derived)
        if sum(value is not None for value in given) != 1:
            raise ValueError("needs exactly one of `hub`, `parquet`, `bundled`, `union`, `derived`")
        return self
