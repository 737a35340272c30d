"""Many verdicts at once: what chance alone would give, and two corrections for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from repro.results.rows import Row

ALPHA = 0.05
Correction = Literal["holm", "fdr"]


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the probability of even one false rejection (Holm 1979)."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def false_discovery_rate(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the expected share of false ones among the rejections (Benjamini and Hochberg)."""
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    adjusted, smallest = [0.0] * len(p), 1.0
    for rank, i in enumerate(order):
        smallest = min(smallest, len(p) * p[i] / (len(p) - rank))
        adjusted[i] = smallest
    return adjusted


CORRECTIONS: dict[Correction, Callable[[Sequence[float]], list[float]]] = {
    "holm": holm,
    "fdr": false_discovery_rate,
}


def corrected(rows: Sequence[Row], how: Correction) -> list[Row]:
    """The rows with the verdicts that are left when all tests of these rows are taken together.

    What is computed without chance is not tested and stays; a verdict that does not survive becomes `undecided`.
    """
    tested = [i for i, row in enumerate(rows) if row.tested]
    adjust = CORRECTIONS[how]
    matches = adjust([rows[i].judgement.p_matches or 0.0 for i in tested])  # type: ignore[union-attr]
    differs = adjust([rows[i].judgement.p_differs or 0.0 for i in tested])  # type: ignore[union-attr]
    result = list(rows)
    for i, p_matches, p_differs in zip(tested, matches, differs, strict=True):
        survives = (p_matches if rows[i].verdict == "matches" else p_differs) <= ALPHA
        if rows[i].verdict != "undecided" and not survives:
            result[i] = replace(rows[i], verdict="undecided", reproduced=False)
    return result


def by_chance(rows: Sequence[Row]) -> str:
    """A sentence: how many of the verdicts that rest on a test chance alone could give."""
    tested = [row for row in rows if row.tested]
    if not tested:
        return ""
    matches = sum(row.verdict == "matches" for row in tested)
    differs = sum(row.verdict in ("differs", "better") for row in tested)
    return (
        f"{len(tested)} of these verdicts rest on a test at {ALPHA:.0%} ({matches} matches, {differs} mismatches): "
        f"chance alone could give up to {ALPHA * len(tested):.0f} of the matches, were nothing true, and up to "
        f"{ALPHA * len(tested):.0f} of the mismatches, were all true; `repro table --correction holm` or `fdr` takes "
        "all tests together."
    )
