"""repro new"""

from __future__ import annotations

import click

from repro.cli.common import RECIPE


@click.command(
    "new",
    epilog="""\b
Examples:
  repro new simclr-cifar10-long --extends simclr-cifar10      only what differs
  repro new moco-cifar10 --paper he2020-moco                  a whole recipe to fill in
  repro new mine-cifar10 --paper me2027-mine                  also starts papers/me2027-mine.yaml
""",
)
@click.argument("recipe")
@click.option(
    "--paper", help="The paper's slug (`repro papers` lists them); a new one gets a file of its own."
)
@click.option("--extends", type=RECIPE, help="The recipe whose values the new one changes.")
@click.option("--family", help="The folder below recipes/; by default that of the parent or of the paper.")
def command(recipe: str, paper: str | None, extends: str | None, family: str | None) -> None:
    """Start a recipe: a commented file that `repro check` accepts.

    It goes to the project, the nearest folder upwards with `recipes/`; where there is none, the working directory
    becomes one.
    """
    from repro import paths
    from repro.recipes.scaffold import start

    begun = paths.project() is None
    for path in start(recipe, paper=paper, extends=extends, family=family):
        click.echo(f"Wrote {path}")
    if begun:
        click.echo(f"{paths.here()} is now a project: its results will be in results/ there.")
    click.echo(f"Next: edit it, then `repro check {recipe}` and `repro run {recipe} --smoke`.")
