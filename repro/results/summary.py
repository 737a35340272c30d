"""What the rows come to, in sentences: by kind, never added up in one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from repro.results.multiplicity import by_chance
from repro.results.rows import OWN, Row
from repro.results.verdict import VERDICTS

OUTCOMES = ("matches", "differs", "better", "undecided")  # verdicts on runs that can be compared


def headline(rows: Sequence[Row]) -> str:
    """The first sentence: which of the papers' own printed numbers training has met, and what is not shown yet."""
    own = [r for r in rows if r.counts and r.kind == "number" and r.role == "claim" and r.by == "training"]
    met = [r for r in own if r.reproduced]
    if not met:
        done = "No number that a paper prints for its own method has yet been met here by training a network"
    else:
        papers = _many(len({r.paper for r in met}), "paper")
        done = f"Printed numbers for a paper's own method met here by training: {len(met)}, of {papers}"
    missed = sum(r.verdict in ("differs", "better") for r in own)
    waiting = sum(r.verdict not in OUTCOMES for r in own)
    rest = [f"{missed} came out otherwise"] * bool(missed) + [f"{waiting} on file wait for runs"] * bool(
        waiting
    )
    return f"{done}{'; ' if rest else ''}{' and '.join(rest)}."


def summary(rows: Sequence[Row]) -> str:
    """A sentence for each kind of row that there is, and one on chance."""
    judged = [row for row in rows if row.verdict]
    return " ".join(_sentences(judged)) if judged else "No recipe here expects a number."


def _sentences(rows: Sequence[Row]) -> Iterator[str]:
    own = [r for r in rows if r.of == OWN]
    printed = [r for r in own if r.kind == "number"]
    for by in ("training", "computation"):
        yield from _counted(f"Numbers that papers print, by {by}", [r for r in printed if r.by == by])
    yield from _counted("Directions that papers state", [r for r in own if r.kind == "direction"])
    yield from _counted("Theory, which tests this code", [r for r in rows if r.kind == "theory"])
    others = [r for r in rows if r.of != OWN and r.kind != "theory"]
    yield from _counted("Others' numbers, scaled-down and own experiments", others)
    reproduced = sum(row.reproduced for row in rows)
    yield f"{reproduced} of the papers' own are reproduced."
    if chance := by_chance(rows):
        yield chance


def _counted(what: str, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    counts = Counter(row.verdict for row in rows)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    doubted = sum(not row.verified for row in rows)
    yield f"{what}: {len(rows)} ({verdicts}{f'; {doubted} unverified' if doubted else ''})."


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
