"""repro table"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from repro.cli.common import as_json, filters, tell_invalid, tell_left_out

if TYPE_CHECKING:
    from repro.results.multiplicity import Correction


@click.command(
    "table",
    epilog="""\b
Examples:
  repro table
  repro table --format latex > table.tex
  repro table --format html > report.html           with the pictures of the runs
  repro table --family supervised-contrastive --dataset cifar10
  repro table --metric knn.top1 --metric probe.top1 --plot results.svg
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
@filters
@click.option(
    "--metric", "metrics", multiple=True, help="Only this metric: knn.top1, or top1 of any stage; repeatable."
)
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw it instead, to FILE.png or FILE.svg.")
@click.option(
    "--correction",
    type=click.Choice(["holm", "fdr"]),
    help="Take the tests of all these rows together: bound the chance of any false verdict, or their share.",
)
@click.option(
    "--write", is_flag=True, help="Write the page results/README.md (of all these recipes) instead."
)
@as_json
def command(
    format_: str,
    metrics: tuple[str, ...],
    plot: str | None,
    correction: Correction | None,
    write: bool,
    as_json: bool,
    **wanted: str | None,
) -> None:
    """The table of results: reported against measured, with verdicts.

    It is about the project's own recipes, and about those of the others that were run there.
    """
    from pathlib import Path

    from repro import paths
    from repro.files import write_text
    from repro.recipes.find import unusable
    from repro.recipes.load import valid
    from repro.results import scope
    from repro.results.multiplicity import corrected
    from repro.results.page import all_rows, in_readme, page
    from repro.results.store import Store
    from repro.results.table import render

    if write:
        project = paths.the_project("the page")
        path = paths.results_dir() / "README.md"
        write_text(path, page())
        click.echo(f"Wrote {path}")
        readme = project / "README.md"
        if readme.is_file() and (text := in_readme(readme.read_text(encoding="utf-8"))):
            write_text(readme, text)
        return
    store = Store(paths.results_dir())
    rows = all_rows(store, metrics, **wanted)
    tell_left_out(store)
    tell_invalid([*unusable().values(), *valid(scope.recipes(store))[1]])
    if correction:
        rows = corrected(rows, correction)
    if plot:
        from repro.results.plot import save

        shown, known = save(rows, Path(plot)), len({(row.recipe, row.metric) for row in rows})
        click.echo(f"Wrote {plot}: {shown} of {known} results, those that have comparable runs")
        return
    if format_ == "html" and not as_json:
        from repro.results.report import report

        click.echo(report(rows, store))
        return
    click.echo(render(rows, "json" if as_json else format_))
