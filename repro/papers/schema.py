"""What a paper file says: the citation, the idea, the numbers that the paper reports and how we know them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, field_validator, model_validator

from repro.recipes.schema import Evidence, Part

Kind = Literal["method", "analysis", "theory", "survey", "system", "dataset"]
PaperTier = Literal["cpu", "gpu", "cluster", "none", "closed"]
Access = Literal["synthetic", "bundled", "hub", "manual", "closed"]
Text = Annotated[str, Field(min_length=1)]


def _like(pattern: str, needed: str) -> AfterValidator:
    """Lets only texts of this pattern through, and says what is needed of others."""
    fits = re.compile(pattern).fullmatch

    def check(text: str) -> str:
        if not fits(text):
            raise ValueError(f"`{text}` is not {needed}")
        return text

    return AfterValidator(check)


Word = Annotated[
    str, _like(r"[a-z0-9]+(-[a-z0-9]+)*", "made of lower-case letters, digits and single hyphens")
]
Repository = Annotated[str, _like(r"[\w.-]+/[\w.-]+", "a GitHub repository as `owner/name`")]
# yymm.nnnn from April 2007, yymm.nnnnn from 2015, before that archive/yymmnnn
Arxiv = Annotated[
    str,
    _like(
        r"(1[5-9]|[2-9]\d)(0[1-9]|1[0-2])\.\d{5}|(0[7-9]|1[0-4])(0[1-9]|1[0-2])\.\d{4}"
        r"|[a-z-]+(\.[A-Z]{2})?/\d\d(0[1-9]|1[0-2])\d{3}",
        "an arXiv identifier",
    ),
]


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
    def _evidence_given(self) -> Reported:
        if self.evidence == "derived" and not self.derivation:
            raise ValueError("evidence `derived` needs `derivation:`, the formula and its values")
        if self.evidence == "web" and not self.ref:
            raise ValueError("evidence `web` needs `ref:`, the public file or page")
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

    slug: Word
    title: Text
    authors: tuple[Text, ...] = ()
    year: Annotated[int, Field(ge=1900, le=2100)]
    venue: Text = "arXiv"
    arxiv: Arxiv | None = None
    note: Text | None = None
    lists: tuple[Word, ...] = ()
    kind: Kind
    modality: Word = "other"
    family: Word
    method: Text | None = None
    idea: Text
    tier: PaperTier
    tier_why: Text | None = None
    reported: tuple[Reported, ...] = ()
    protocol: Protocol | None = None
    code: Repository | None = None
    data: Data | None = None
    recipes: tuple[Word, ...] = ()
    cpu_target: CpuTarget | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Paper:
        year = re.search(r"(19|20)\d\d", self.slug)
        if year and year.group() != str(self.year):
            raise ValueError(f"the year in the slug `{self.slug}` is not `year: {self.year}`")
        if repeated := {r for r in self.recipes if self.recipes.count(r) > 1}:
            raise ValueError(f"`recipes` names {', '.join(sorted(repeated))} twice")
        return self
