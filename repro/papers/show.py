"""A paper as text to read: what it is, what it reports, and what this project has of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from repro.papers.schema import Paper, Reported
from repro.papers.standing import Standing
from repro.results.formats import tabular
from repro.results.rows import Row
from repro.results.table import render

WIDTH = 100
_BOUNDS = {None: "", "lower": "≥ ", "upper": "≤ "}


def text(standing: Standing, results: Sequence[Row]) -> str:
    """The paper with its recipes and, from the rows of results, what was measured."""
    paper = standing.paper
    parts = [_citation(paper), _filled(paper.idea), _lines(_facts(standing))]
    if paper.reported:
        header = ("data set", "metric", "reported", "setting", "where", "evidence")
        table = tabular(header, [_cells(r) for r in paper.reported], "text", (22, 26, None, 30, 16, None))
        parts += ["# Reported", table]
    if protocol := paper.protocol:
        settings = {
            k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in protocol.settings.items()
        }
        parts += [f"# Protocol (evidence: {protocol.evidence})", _lines(settings | {"note": protocol.note})]
    if target := paper.cpu_target:
        claim = {"claim": target.claim, "how": target.how, "expected": target.expected, "basis": target.basis}
        parts += ["# On two cores", _lines(claim)]
    if results:
        parts += ["# Results", render(results)]
    return "\n\n".join(parts)


def record(standing: Standing, results: Sequence[Row]) -> dict[str, Any]:
    """The same as plain values for JSON: the file's keys, and what this project has of the paper."""
    return {
        **standing.paper.model_dump(mode="json", exclude_none=True, exclude={"recipes"}),
        "status": standing.status,
        "reason": standing.reason,
        "recipes": list(standing.recipes),
        "planned": planned(standing),
        "results": [row.json() for row in results],
    }


def planned(standing: Standing) -> list[str]:
    """The ids that are planned for the paper and do not exist yet."""
    return [recipe for recipe in standing.paper.recipes if recipe not in standing.recipes]


def _citation(paper: Paper) -> str:
    where = [str(paper.year) if paper.venue == "arXiv" else paper.venue]
    where += [f"arXiv {paper.arxiv}"] if paper.arxiv else []
    where += [f"code: github.com/{paper.code}"] if paper.code else []
    lines = [paper.title, ", ".join(paper.authors), ", ".join(where), paper.note or ""]
    return "\n".join(_filled(line) for line in lines if line)


def _facts(standing: Standing) -> dict[str, str | None]:
    paper = standing.paper
    return {
        "file": f"papers/{paper.slug}.yaml",
        "kind": f"{paper.kind}, family {paper.family}, modality {paper.modality}",
        "cited by": ", ".join(paper.lists),
        "tier": f"{paper.tier}: {paper.tier_why}" if paper.tier_why else paper.tier,
        "data": f"{', '.join(paper.data.names)} ({paper.data.access})" if paper.data else None,
        "status": f"{standing.status} ({standing.reason})" if standing.reason else standing.status,
        "recipes": ", ".join(standing.recipes),
        "planned": ", ".join(planned(standing)),
    }


def _lines(facts: Mapping[str, Any]) -> str:
    """`name  value`, aligned and wrapped; what has no value is left out."""
    given = {name: str(value) for name, value in facts.items() if value not in (None, "")}
    margin = max(map(len, given)) + 2
    return "\n".join(_filled(f"{name:<{margin}}{value}", " " * margin) for name, value in given.items())


def _filled(line: str, indent: str = "") -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _cells(r: Reported) -> tuple[str, ...]:
    spread = f" ± {r.sd:g}" if r.sd else ""
    number = f"{_BOUNDS[r.bound]}{r.value:.10g}{spread}{f' {r.unit}' if r.unit else ''}"
    evidence = f"{r.evidence}{'?' if r.evidence == 'memory' else ''}"
    return r.dataset, r.metric, number, r.setting or "", r.where or "", evidence
