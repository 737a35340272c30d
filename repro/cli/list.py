"""repro list"""

from __future__ import annotations

import click
from tabulate import tabulate

from repro.cli.common import as_json, echo_json, filters, tell_invalid
from repro.errors import readable


@click.command(
    "list",
    epilog="""\b
Examples:
  repro list --tier cpu --dataset digits
  repro list --search "cifar100 resnet"
  repro list --json | jq -r '.[].id'
""",
)
@filters
@click.option(
    "--search", default="", help="Only recipes whose id, title, paper or data set has all these words."
)
@as_json
def command(search: str, as_json: bool, **wanted: str | None) -> None:
    """List the recipes."""
    from repro.recipes.find import ids, unusable
    from repro.recipes.listing import summary

    rows, broken = readable(summary, ids())
    tell_invalid([*unusable().values(), *broken])
    given = {field: value for field, value in wanted.items() if value}
    rows = [r for r in rows if all(r[f] == value for f, value in given.items()) and _has(r, search)]
    if as_json:
        echo_json([{k: v for k, v in r.items() if k != "title"} for r in rows])
        return
    columns = ("id", "tier", "dataset", "minutes", "title")
    click.echo(tabulate([[r[c] for c in columns] for r in rows], headers=columns))
    click.echo(f"\n{len(rows)} recipes. `repro show ID` tells more.")


def _has(row: dict, words: str) -> bool:
    text = " ".join(str(row[k]) for k in ("id", "title", "paper", "dataset")).lower()
    return all(word in text for word in words.lower().split())
