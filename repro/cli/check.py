"""repro check"""

from __future__ import annotations

import sys

import click

from repro.cli.common import RECIPE, as_json, echo_json


@click.command(
    "check",
    epilog="""\b
Examples:
  repro check                         every recipe and paper file
  repro check supcon-cifar100         one recipe
  repro check --schema > recipe.schema.json    for completion in editors
""",
)
@click.argument("recipes", nargs=-1, type=RECIPE)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of recipe files and stop.")
@as_json
def command(recipes: tuple[str, ...], schema: bool, as_json: bool) -> None:
    """Check recipe and paper files: all problems at once, each with file and line. Status 2 if there are any."""
    if schema:
        from repro.recipes.json_schema import schema as recipe_schema

        echo_json(recipe_schema())
        return
    from repro.papers.load import slugs
    from repro.recipes.check import check_papers, check_recipes
    from repro.recipes.load import file_of, ids

    for recipe in recipes:
        file_of(recipe)
    problems = [*check_recipes(recipes), *([] if recipes else check_papers())]
    if as_json:
        echo_json(problems)
    else:
        for problem in problems:
            click.echo(problem, err=True)
        papers = "" if recipes else f" and {len(slugs())} papers"
        click.echo(f"{len(recipes or list(ids()))} recipes{papers}: {len(problems)} problems.")
    if problems:
        sys.exit(2)
