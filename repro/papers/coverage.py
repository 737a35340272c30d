"""How much of the reading list is reproduced. The figures are computed, never typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from repro.papers.standing import STATUSES, Standing
from repro.results.formats import paragraph, tabular

LEGEND = (
    "Reproduced: a number, or all the directions on file, of the paper's own claims are met by runs without "
    "disqualifying deviations, and no recorded result of it differs. Partly reproduced: some are met and some are "
    "not, or only baselines are. Theory checked: only what is derived matches, which tests this code. Tried: recipes "
    "ran, and nothing of the paper's own is met. Runnable: there is a recipe. Planned: there is none yet. Out of "
    "reach: the paper has no numbers, its data are closed or it takes a cluster."
)


def tally(standings: Iterable[Standing], by: Literal["tier", "family"]) -> dict[str, dict[str, int]]:
    """The number of papers in each tier or family by status, the largest group first."""
    counts: dict[str, Counter[str]] = {}
    for standing in standings:
        counts.setdefault(getattr(standing.paper, by), Counter())[standing.status] += 1
    largest_first = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return {group: _in_order(count) for group, count in largest_first}


def figures(standings: Sequence[Standing]) -> dict[str, Any]:
    """All figures: `papers`, of which `listed` are on the reading list, one for each status, the reasons for
    `out of reach`, by tier and by family."""
    return {
        "papers": len(standings),
        "listed": sum(bool(s.paper.lists) for s in standings),
        **_in_order(Counter(s.status for s in standings)),
        "reasons": dict(Counter(s.reason for s in standings if s.reason).most_common()),
        "numbers": dict(Counter(r.evidence for s in standings for r in s.paper.reported).most_common()),
        "tiers": tally(standings, "tier"),
        "families": tally(standings, "family"),
    }


def report(standings: Sequence[Standing], format: str = "text") -> str:
    """The figures for people, as `text` or `md`."""
    facts = figures(standings)
    reasons = ", ".join(f"{count} {reason}" for reason, count in facts["reasons"].items())
    numbers = ", ".join(f"{count} {evidence}" for evidence, count in facts["numbers"].items())
    kinds = ", ".join(f"{facts[status]} {status}" for status in STATUSES)
    sentences = [
        f"{facts['papers']} papers{_beyond(facts)}: {kinds}{f' ({reasons})' if reasons else ''}.",
        f"They report {sum(facts['numbers'].values())} numbers that are on file, by evidence: {numbers}.",
    ]
    tables = [
        _table(facts["tiers"], "tier", facts, format),
        _table(facts["families"], "family", facts, format),
    ]
    return "\n\n".join([*(paragraph(s, format) for s in sentences), *tables, paragraph(LEGEND, format)])


def _beyond(facts: Mapping[str, int]) -> str:
    """The papers that are on no list: recipes need them."""
    more = facts["papers"] - facts["listed"]
    return f" ({facts['listed']} of the reading list and {more} more that recipes need)" if more else ""


def _table(counts: Mapping[str, dict[str, int]], name: str, total: Mapping[str, int], format: str) -> str:
    body = [
        [group, str(sum(count[s] for s in STATUSES)), *(str(count[s] or "") for s in STATUSES)]
        for group, count in [*counts.items(), ("all", total)]
    ]
    return tabular((name, "papers", *STATUSES), body, format)


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {status: counts[status] for status in STATUSES}
