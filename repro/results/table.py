"""The table of results: what the papers report, what was measured, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from repro.recipes.schema import Deviation
from repro.results.formats import csv_text, duration, number, paragraph, tabular
from repro.results.rows import KEYS, OWN, Row
from repro.results.summary import summary

_SIGNS = {"equals": "=", "at_least": "≥", "at_most": "≤", "greater_than": ">"}


def render(rows: Sequence[Row], format: str = "text") -> str:
    """The rows as `text`, `md`, `latex` or `html` for people, or as `csv` or `json`, which hold the judged ones."""
    judged = [row for row in rows if row.verdict]
    if format == "json":
        return json.dumps([row.json() for row in judged], indent=2, ensure_ascii=False)
    if format == "csv":
        return csv_text(KEYS, [[getattr(row, key) for key in KEYS] for row in judged])
    return "\n\n".join(_page(judged, [row for row in rows if not row.verdict], format))


def _page(judged: Sequence[Row], measured: Sequence[Row], format: str) -> Iterator[str]:
    met = dict.fromkeys(d for row in (*judged, *measured) for d in row.deviations)
    marks = {d: f"{i}{'!' * d.disqualifies}" for i, d in enumerate(met, 1)}
    if judged:
        header = ("recipe", "metric", "kind", "expected", "measured", "verdict", "evidence", "deviations")
        yield tabular(header, [_cells(row, marks) for row in judged], format)
    if measured:
        yield paragraph("Measured, with no reported number to compare with:", format)
    for metrics, alike in _by_metrics(measured).items():
        body = [(r, *map(measured_cell, cells), _marked(cells[0], marks)) for r, cells in alike.items()]
        yield tabular(("recipe", *metrics, "deviations"), body, format)
    if marks:
        yield paragraph("Deviations (! disqualifies: the run is not counted as a reproduction):", format)
        body = [(mark, d.what, d.paper, d.here) for d, mark in marks.items()]
        yield tabular(("", "what", "paper", "here"), body, format, widths=(None, 24, 40, 40))
    if judged or not measured:
        yield paragraph(summary(judged), format)


def _by_metrics(measured: Sequence[Row]) -> dict[tuple[str, ...], dict[str, list[Row]]]:
    """The rows of each recipe, for recipes with the same metrics together, so that they stand side by side."""
    of: dict[str, list[Row]] = {}
    for row in measured:
        of.setdefault(row.recipe, []).append(row)
    alike: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for recipe, own in of.items():
        alike.setdefault(tuple(row.metric for row in own), {})[recipe] = own
    return alike


def _cells(row: Row, marks: Mapping[Deviation, str]) -> tuple[str, ...]:
    return (
        row.recipe,
        row.metric,
        kind_cell(row),
        expected_cell(row),
        measured_cell(row),
        verdict_cell(row),
        f"{row.evidence}{'' if row.verified else ' ?'}",
        _marked(row, marks),
    )


def _marked(row: Row, marks: Mapping[Deviation, str]) -> str:
    return ", ".join(marks[d] for d in row.deviations)


def kind_cell(row: Row) -> str:
    """`theory`, or what the statement is about: for example `number, training`, `direction (scaled)`."""
    if row.kind == "theory":
        return "theory"
    details = [str(row.kind), *(["baseline"] if row.role == "baseline" else []), str(row.by)]
    return ", ".join(details) + (f" (of {row.of})" if row.of != OWN else "")


def expected_cell(row: Row) -> str:
    """What is expected, for example `= 76.5 ± 1 %`, `≥ 8 dB`, `> relu.psnr` or `> relu.psnr + 1 dB`."""
    sign, target = _SIGNS[row.relation or ""], row.expected
    if isinstance(target, str):
        return f"{sign} {target} + {row.delta:g} {row.unit}".rstrip() if row.delta else f"{sign} {target}"
    margin = f" ± {row.delta:g}" if row.delta and sign == "=" else ""
    return f"{sign} {target:.10g}{margin} {row.unit}".rstrip()


def measured_cell(row: Row) -> str:
    """`mean ± sd (n=runs)`, and for an ordering the difference from the other metric."""
    if row.mean is None:
        return ""
    resolution = row.delta or row.sd
    spread = "" if row.sd is None else f" ± {number(row.sd, resolution)}"
    confirmed = row.judgement.confirmed if row.judgement else 0
    how = f", {confirmed} by confirmed earlier code" if confirmed else ", stale?" if row.outdated else ""
    how += "" if row.comparable else ", not comparable"
    cell = f"{number(row.mean, resolution)}{spread} (n={row.n}{how})"
    if row.relation != "greater_than" or not row.judgement or row.judgement.difference is None:
        return cell
    return f"{cell}, difference {number(row.judgement.difference, resolution)}"


def verdict_cell(row: Row) -> str:
    """The verdict; for an undecided one, what would decide it, or by how much a single run is off."""
    judgement = row.judgement
    if judgement is None or judgement.verdict != "undecided":
        return row.verdict or ""
    if judgement.more_seeds:
        seeds = f"{judgement.more_seeds} more seed{'s' * (judgement.more_seeds > 1)}"
        return f"undecided ({seeds}, about {duration(judgement.more_minutes or 0)})"
    if judgement.sd is None and judgement.low is None:
        return f"undecided (one run, off by {judgement.difference:+.3g})"
    return "undecided (over 100 seeds)"
