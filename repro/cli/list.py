"""repro list"""

from __future__ import annotations

import click
from tabulate import tabulate

from repro.cli.common import as_json, echo_json
from repro.errors import UserError


@click.command(
    "list",
    epilog="""\b
Examples:
  repro list --tier cpu
  repro list --search "cifar100 resnet"
  repro list --json | jq -r '.[].id'
""",
)
@click.option("--family", help="Only recipes of this family (folder).")
@click.option("--tier", type=click.Choice(["cpu", "gpu", "cluster"]), help="Only recipes of this tier.")
@click.option("--paper", help="Only recipes of this paper.")
@click.option(
    "--search", default="", help="Only recipes whose id, title, paper or data set has all these words."
)
@as_json
def command(family: str | None, tier: str | None, paper: str | None, search: str, as_json: bool) -> None:
    """List the recipes."""
    from repro.recipes.listing import summary
    from repro.recipes.load import ids

    rows = []
    for recipe_id in ids():
        try:
            rows.append(summary(recipe_id))
        except UserError as error:
            click.echo(f"Skipped: {error}", err=True)
    wanted = {k: v for k, v in {"family": family, "tier": tier, "paper": paper}.items() if v}
    rows = [r for r in rows if all(r[k] == v for k, v in wanted.items()) and _has(r, search)]
    if as_json:
        echo_json([{k: v for k, v in r.items() if k != "title"} for r in rows])
        return
    columns = ("id", "tier", "dataset", "minutes", "title")
    click.echo(tabulate([[r[c] for c in columns] for r in rows], headers=columns))
    click.echo(f"\n{len(rows)} recipes. `repro show ID` tells more.")


def _has(row: dict, words: str) -> bool:
    text = " ".join(str(row[k]) for k in ("id", "title", "paper", "dataset")).lower()
    return all(word in text for word in words.lower().split())
