"""repro table"""

from __future__ import annotations

import click

from repro.cli.common import as_json


@click.command(
    "table",
    epilog="""\b
Examples:
  repro table
  repro table --format latex > table.tex
  repro table --json | jq '.[] | select(.verdict == "matches") | .recipe'
""",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "md", "csv", "latex", "html", "json"]),
    default="text",
    show_default=True,
)
@click.option("--tier", type=click.Choice(["cpu", "gpu", "cluster"]), help="Only recipes of this tier.")
@as_json
def command(format_: str, tier: str | None, as_json: bool) -> None:
    """The table of results: reported against measured, with verdicts."""
    from repro import paths
    from repro.recipes.load import ids, load, recipe_hash
    from repro.results.store import Store
    from repro.results.table import render, rows

    recipes = [r for r in map(load, ids()) if tier in (None, r.tier)]
    found = rows([(r, recipe_hash(r)) for r in recipes], Store(paths.results_dir()))
    click.echo(render(found, "json" if as_json else format_))
