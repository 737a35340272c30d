"""repro papers"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from repro.cli.common import PAPER, as_json, echo_json

if TYPE_CHECKING:
    from repro.papers.standing import Standing

TIERS = ("cpu", "gpu", "cluster", "none", "closed")
STATUSES = (
    "reproduced", "partly-reproduced", "theory-checked", "tried", "runnable", "planned", "out-of-reach"
)  # fmt: skip


@click.group(
    "papers",
    invoke_without_command=True,
    epilog="""\b
Examples:
  repro papers --tier cpu --status runnable
  repro papers --search "long-tailed contrastive"
  repro papers --json | jq -r '.[] | select(.reported | length > 20) | .slug'
  repro papers show khosla2020-supcon --bibtex
  repro papers coverage
""",
)
@click.option("--family", help="Only papers of this family.")
@click.option("--tier", type=click.Choice(TIERS), help="Only papers whose main claim needs this.")
@click.option("--search", default="", help="Only papers whose citation, method or idea has all these words.")
@click.option("--status", type=click.Choice(STATUSES), help="Only papers that stand there in this project.")
@as_json
@click.pass_context
def command(
    ctx: click.Context, family: str | None, tier: str | None, search: str, status: str | None, as_json: bool
) -> None:
    """The reading list: what each paper reports, and how far it is reproduced here."""
    if ctx.invoked_subcommand:
        return
    chosen = [
        s
        for s in _survey()
        if family in (None, s.paper.family)
        and tier in (None, s.paper.tier)
        and status in (None, s.status.replace(" ", "-"))
        and _has(s, search)
    ]
    if as_json:
        echo_json([_summary(s) for s in chosen])
        return
    columns = ("slug", "tier", "status", "recipes", "numbers", "title")
    rows = [
        (s.paper.slug, s.paper.tier, s.status, len(s.recipes), len(s.paper.reported), s.paper.title)
        for s in chosen
    ]
    click.echo(tabulate(rows, headers=columns))
    click.echo(f"\n{len(rows)} papers. `repro papers show SLUG` tells more.")


@command.command(
    epilog="""\b
Examples:
  repro papers show khosla2020-supcon
  repro papers show khosla2020-supcon --bibtex >> references.bib
  repro papers show khosla2020-supcon --json | jq .protocol.settings
"""
)
@click.argument("slug", type=PAPER)
@click.option("--bibtex", "as_bibtex", is_flag=True, help="Print the BibTeX entry instead.")
@as_json
def show(slug: str, as_bibtex: bool, as_json: bool) -> None:
    """Show one paper: the citation, what it reports, its recipes and their results."""
    from repro.papers.load import paper

    found = paper(slug)
    if as_bibtex:
        from repro.papers.bibtex import bibtex

        click.echo(bibtex(found))
        return
    from repro.papers.show import record, text
    from repro.papers.standing import recipes_of, recorded, standing

    recipes = recipes_of(slug)
    results = recorded(recipes)
    where = standing(found, recipes, results)
    if as_json:
        echo_json(record(where, results))
    else:
        click.echo(text(where, results))


@command.command(
    epilog="""\b
Examples:
  repro papers coverage
  repro papers coverage --json | jq .tiers.cpu
"""
)
@click.option("--format", "format_", type=click.Choice(["text", "md"]), default="text", show_default=True)
@as_json
def coverage(format_: str, as_json: bool) -> None:
    """How much of the list is reproduced, by tier and by family."""
    from repro.papers.coverage import figures, report

    standings = _survey()
    if as_json:
        echo_json(figures(standings))
    else:
        click.echo(report(standings, format_))


def _survey() -> list[Standing]:
    from repro.papers.standing import survey

    standings, invalid = survey()
    for error in invalid:
        click.echo(f"Skipped: {error}", err=True)
    return standings


def _has(standing: Standing, words: str) -> bool:
    paper = standing.paper
    text = " ".join(
        [paper.slug, paper.title, *paper.authors, paper.venue or "", paper.method or "", paper.idea]
    )
    return all(word in text.lower() for word in words.lower().split())


def _summary(standing: Standing) -> dict[str, Any]:
    paper = standing.paper
    return {
        "slug": paper.slug,
        "title": paper.title,
        "year": paper.year,
        "family": paper.family,
        "tier": paper.tier,
        "status": standing.status,
        "recipes": list(standing.recipes),
        "reported": [r.model_dump(mode="json", exclude_none=True) for r in paper.reported],
    }
