"""repro check"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from repro.cli.common import RECIPE, as_json, echo_json


@click.command(
    "check",
    epilog="""\b
Examples:
  repro check                         every recipe, paper, data set and policy of the project
  repro check supcon-cifar100         one recipe
  repro check --schema > recipe.schema.json    for completion in editors
""",
)
@click.argument("recipes", nargs=-1, type=RECIPE)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of recipe files and stop.")
@as_json
def command(recipes: tuple[str, ...], schema: bool, as_json: bool) -> None:
    """Check the files of recipes, papers, data sets and policies: all problems at once, each with file and line.

    The exit status is 2 if there are any.
    """
    if schema:
        from repro.recipes.json_schema import schema as recipe_schema

        echo_json(recipe_schema())
        return
    from repro.recipes.check import check_all, check_recipes
    from repro.recipes.find import file_of

    for recipe in recipes:
        file_of(recipe)
    late = [] if recipes or as_json else [*_late()]
    problems = [*(check_recipes(recipes) if recipes else check_all())]
    if as_json:
        echo_json(problems)
    else:
        for problem in problems:
            click.echo(problem, err=True)
        for line in late:
            click.echo(line)
        click.echo(f"{_counted(recipes)}: {len(problems)} problem{'s' * (len(problems) != 1)}.")
    if problems:
        sys.exit(2)


def _late() -> Iterator[str]:
    """A line for each recipe that expects something younger than its first record. This is no problem, but said."""
    from repro import paths
    from repro.recipes.load import valid
    from repro.results import scope
    from repro.results.late import late
    from repro.results.store import Store

    store = Store(paths.results_dir())
    for recipe in valid(scope.recipes(store))[0]:
        if metrics := late(recipe, store):
            yield f"{recipe.id}: expected only since its first record: {', '.join(metrics)}"


def _counted(recipes: tuple[str, ...]) -> str:
    """What was checked: these recipes, or everything."""
    if recipes:
        return f"{len(recipes)} recipe{'s' * (len(recipes) != 1)}"
    from repro.recipes.check import reviewed

    return "{} recipes, {} papers, {} data sets and {} policies".format(*map(len, reviewed().values()))
