"""A recipe expects what its paper reports: the rule that ties the two folders together."""

from __future__ import annotations

from collections.abc import Iterator

from repro.papers.schema import Paper, Reported
from repro.recipes.schema import Expected, Recipe


def problems(recipe: Recipe, paper: Paper) -> list[str]:
    """The expected numbers that do not stand among the paper's, with the same value, unit and evidence.

    A recipe that does not make the paper's claim may set bounds of its own, and so may a number that is `of: own`.
    """
    paper_bounds = recipe.claim == "paper"
    tied = (e for e in recipe.expected if e.value is not None or (paper_bounds and e.source.of != "own"))
    return [message for expected in tied for message in _problem(expected, paper)]


def _problem(expected: Expected, paper: Paper) -> Iterator[str]:
    target = expected.target
    if not isinstance(target, float) or any(_same(r, target, expected) for r in paper.reported):
        return
    number = _number(target, expected.unit, expected.source.evidence)
    yield f"`{expected.metric}`: papers/{paper.slug}.yaml reports no {number}{_nearest(target, paper)}"


def _same(reported: Reported, target: float, expected: Expected) -> bool:
    """The same number from the same kind of source. A bound of the paper is no value to be equal to."""
    bounds = {"at_least": (None, "lower"), "at_most": (None, "upper")}.get(expected.relation, (None,))
    number = (target, expected.unit, expected.source.evidence)
    return (reported.value, reported.unit, reported.evidence) == number and reported.bound in bounds


def _nearest(target: float, paper: Paper) -> str:
    near = min(paper.reported, key=lambda r: abs(r.value - target), default=None)
    if near is None:
        return "; it reports no numbers yet"
    return (
        f"; the nearest is {_number(near.value, near.unit, near.evidence)}, {near.metric} on {near.dataset}"
    )


def _number(value: float, unit: str, evidence: str) -> str:
    return f"{value:.10g}{f' {unit}' if unit else ''} (evidence `{evidence}`)"
