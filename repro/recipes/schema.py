"""What a recipe file says: the experiment, and the numbers to expect with where they come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, PrivateAttr, model_validator

from repro.names import UNDERSCORED, underscored
from repro.options import NonNegativeFloat, NonNegativeInt, Options, PositiveFloat, StageSpec
from repro.recipes.yaml import MOST


def _named(name: str) -> str:
    if not underscored(name):
        raise ValueError(f"`{name:.100}` is not usable as a stage's name ({UNDERSCORED})")
    return name


Evidence = Literal["paper", "abstract", "notes", "code", "web", "derived", "memory"]
Tier = Literal["cpu", "gpu", "cluster"]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Kind = Literal["theory", "direction", "number"]
Role = Literal["claim", "baseline"]
By = Literal["training", "computation"]
StageName = Annotated[str, AfterValidator(_named)]
MetricName = Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]


class Part(Options):
    """A group of keys of a recipe or paper file."""


class Source(Part):
    """Where a number stands, and how we know: `memory` is recalled and unchecked, and never verified.

    `of` names the third party whose number it is (`lightly`, `solo-learn`), when it is not the paper's own.
    """

    where: str
    evidence: Evidence
    of: str | None = None
    ref: str | None = None
    derivation: str | None = None

    @model_validator(mode="after")
    def _derivation_given(self) -> Source:
        if self.evidence == "derived" and not self.derivation:
            raise ValueError("evidence `derived` needs `derivation:`, the formula and its values")
        return self


class Expected(Part):
    """A statement of the paper about one metric of the recipe (`<stage>.<metric>`).

    Exactly one of: `value` within `delta`, `at_least`, `at_most`, or `greater_than` another metric of the same
    recipe. With `exact: true` it has to hold of every single run, as what is computed without chance or bounded
    by a theorem does; delta is then a numerical tolerance.

    `kind` is `theory` for what is derived (identities, closed forms, theorems: they test this code), `direction` for
    an ordering or bound that the paper states, `number` for a value that is printed; it follows from the rest, but
    for a theorem that the paper prints, which says `kind: theory`. `role` is `claim` for the paper's own method or
    finding and `baseline` for a row that it prints to compare with. `by` is `training` (of a network by gradient
    descent) or `computation` (a fit, a classical estimator, arithmetic), where the stage does not settle it.
    """

    metric: MetricName
    kind: Kind | None = None
    role: Role = "claim"
    by: By | None = None
    value: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    greater_than: MetricName | None = None
    exact: bool = False
    delta: NonNegativeFloat | None = None
    unit: str = ""
    better: Literal["higher", "lower"] = "higher"
    sd: PositiveFloat | None = None
    source: Source

    @property
    def relation(self) -> str:
        """`equals`, `at_least`, `at_most` or `greater_than`."""
        if self.value is not None:
            return "equals"
        return next(r for r in ("at_least", "at_most", "greater_than") if getattr(self, r) is not None)

    @property
    def target(self) -> float | str | None:
        """The number (or, for `greater_than`, the other metric's name) that the relation refers to."""
        return self.value if self.value is not None else getattr(self, self.relation)

    @property
    def what(self) -> Kind:
        """The kind, as stated or as it follows from evidence and relation."""
        if self.kind:
            return self.kind
        if self.source.evidence == "derived":
            return "theory"
        return "number" if self.relation == "equals" else "direction"

    @model_validator(mode="after")
    def _one_relation(self) -> Expected:
        given = [r for r in ("value", "at_least", "at_most", "greater_than") if getattr(self, r) is not None]
        if len(given) != 1:
            raise ValueError("needs exactly one of `value`, `at_least`, `at_most`, `greater_than`")
        if given == ["value"] and self.delta is None:
            raise ValueError("`value` needs `delta`, the margin within which a run counts as equal")
        fitting = "number" if given == ["value"] else "direction"
        if self.kind not in (None, "theory", fitting):
            raise ValueError(f"`kind: {self.kind}` does not fit `{given[0]}`; leave it out")
        return self


class Deviation(Part):
    """A known difference between the paper's experiment and this one."""

    what: str
    paper: str
    here: str
    why: str
    disqualifies: bool = False


class Rounds(Part):
    """Stages that are repeated, see `repro.recipes.unroll`."""

    kind: Literal["rounds"]
    count: Annotated[PositiveInt, Field(le=MOST)]
    """How often."""
    body: Annotated[dict[StageName, dict[str, Any]], Field(min_length=1)]
    """The stages, in their order; their values may be `$round`, `$this.<stage>` and `$previous.<stage>`."""


class Recipe(Part):
    """One experiment of one paper, complete: nothing outside this file changes its numbers."""

    id: str
    family: str
    paper: str
    title: str
    tier: Tier
    claim: Literal["paper", "scaled", "own"] = "paper"
    dataset: str | None = None
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0,)
    precision: Precision = "auto"
    minutes: PositiveFloat | None = None
    memory_gb: PositiveFloat | None = None
    stages: Annotated[dict[StageName, StageSpec], Field(min_length=1)]
    expected: tuple[Expected, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    notes: str | None = None
    _rolled: dict[str, Any] | None = PrivateAttr(
        None
    )  # its values before rounds were unrolled, if there are any
