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
@click.option("--write", is_flag=True, help="Write the page results/README.md instead.")
@as_json
def command(format_: str, tier: str | None, write: bool, as_json: bool) -> None:
    """The table of results: reported against measured, with verdicts."""
    from repro import paths
    from repro.files import write_text
    from repro.results.page import all_rows, page
    from repro.results.table import render

    if write:
        path = paths.results_dir() / "README.md"
        write_text(path, page())
        click.echo(f"Wrote {path}")
        return
    click.echo(render(all_rows(tier), "json" if as_json else format_))
