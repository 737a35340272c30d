"""What a paper file says: the citation, the idea, the numbers that the paper reports and how we know them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from repro.recipes.schema import Evidence, Part

Kind = Literal["method", "analysis", "theory", "survey", "system", "dataset"]
PaperTier = Literal["cpu", "gpu", "cluster", "none", "closed"]
Access = Literal["synthetic", "bundled", "hub", "manual", "closed"]
Text = Annotated[str, Field(min_length=1)]
Word = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Slug = Annotated[str, Field(pattern=r"^[a-z]+(19|20)\d\d[a-z]?(-[a-z0-9]+)+$")]
Repository = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]


class Reported(Part):
    """One number that the paper reports or, with `evidence: derived`, that follows from its formulas.

    `bound` marks a statement such as "above 90 %" (`lower`) or "within 1,000 steps" (`upper`). `sd` is the
    standard deviation that the paper gives; `where` is the table, figure or section; `ref` says which public
    file or page was read, when that is not the paper itself.
    """

    dataset: Text
    metric: Text
    value: float
    unit: str = ""
    sd: PositiveFloat | None = None
    bound: Literal["lower", "upper"] | None = None
    better: Literal["higher", "lower"] = "higher"
    setting: Text | None = None
    where: Text | None = None
    evidence: Evidence
    ref: Text | None = None
    note: Text | None = None
    derivation: Text | None = None

    @model_validator(mode="after")
    def _derivation_given(self) -> Reported:
        if self.evidence == "derived" and not self.derivation:
            raise ValueError("evidence `derived` needs `derivation:`, the formula and its values")
        return self


class Protocol(Part):
    """The experiment's settings under the paper's or its code's names, and how they are known."""

    evidence: Evidence
    ref: Text | None = None
    note: Text | None = None
    settings: Annotated[dict[str, Any], Field(min_length=1)]

    @field_validator("settings")
    @classmethod
    def _plain(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name, value in settings.items():
            values = value if isinstance(value, list) else [value]
            if not values or not all(isinstance(v, str | int | float) for v in values):
                raise ValueError(f"`{name}` needs a text, a number, true or false, or a list of these")
        return settings


class Data(Part):
    """The data sets by name, and how one gets the least accessible of those that matter."""

    names: tuple[Text, ...] = ()
    access: Access


class CpuTarget(Part):
    """What can be shown on two cores. `faithful` if it is a claim of the paper, else a scaled-down or own check.

    `basis` says what the claim and the expected outcome rest on.
    """

    claim: Text
    how: Text
    expected: Text | None = None
    basis: Text | None = None
    faithful: bool | None = None


class Paper(Part):
    """One paper of the reading list.

    `tier` is the least that its main claim, or a smaller claim in it, needs: `cpu` about two hours on two
    cores, `gpu` about a day on one GPU, `cluster` more; `none` when it reports nothing numeric; `closed` when
    nobody can get the data or simulators. `recipes` are the ids planned for it, whether or not they exist yet.
    """

    slug: Slug
    title: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1)]
    year: Annotated[int, Field(ge=1900, le=2100)]
    venue: Text = "arXiv"
    arxiv: str | None = None
    note: Text | None = None
    lists: tuple[Word, ...] = ()
    kind: Kind
    modality: Word
    family: Word
    method: Text | None = None
    idea: Text
    tier: PaperTier
    tier_why: Text
    reported: tuple[Reported, ...] = ()
    protocol: Protocol | None = None
    code: Repository | None = None
    data: Data
    recipes: tuple[Word, ...] = ()
    cpu_target: CpuTarget | None = None

    @field_validator("arxiv")
    @classmethod
    def _is_arxiv_id(cls, arxiv: str | None) -> str | None:
        new = arxiv and re.fullmatch(r"(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})", arxiv)
        old = arxiv and re.fullmatch(r"[a-z-]+(\.[A-Z]{2})?/\d\d(0[1-9]|1[0-2])\d{3}", arxiv)
        digits = 4 if new and new[1] < "15" else 5  # since January 2015
        if arxiv and not old and not (new and len(new[3]) == digits):
            raise ValueError('not an arXiv identifier; write it in quotes, for example "2004.11362"')
        return arxiv

    @model_validator(mode="after")
    def _hangs_together(self) -> Paper:
        if str(self.year) not in self.slug:
            raise ValueError(f"the year in the slug `{self.slug}` is not `year: {self.year}`")
        if repeated := {r for r in self.recipes if self.recipes.count(r) > 1}:
            raise ValueError(f"`recipes` names {', '.join(sorted(repeated))} twice")
        return self
