"""repro show"""

from __future__ import annotations

import click

from repro.cli.common import COMPONENT, RECIPE, as_json, echo_json

WIDTHS = [None, 30, 20, 70]  # of the columns of options, in characters


@click.command(
    "show",
    epilog="""\b
Examples:
  repro show supcon-cifar100
  repro show supcon-cifar100 --json | jq .resolved.stages.pretrain.optimizer
  repro show --options supcon         what the options of a method, stage, network, … are
""",
)
@click.argument("recipe", type=RECIPE, required=False)
@click.option("--options", "component", type=COMPONENT, help="Show the options of this component instead.")
@as_json
def command(recipe: str | None, component: str | None, as_json: bool) -> None:
    """Show one recipe as it will be executed, with what it inherits, and what came of it."""
    if (recipe is None) == (component is None):
        raise click.UsageError("Name a recipe, or a component with --options.")
    if component:
        _options(component, as_json)
    else:
        _recipe(str(recipe), as_json)


def _options(component: str, as_json: bool) -> None:
    from tabulate import tabulate

    from repro.recipes.explain import explained

    found = explained(component)
    if as_json:
        echo_json([{**one._asdict(), "file": str(one.file)} for one in found])
        return
    for one in found:
        tables = {f"{one.kind} {component} ({one.file})": one.options, **one.groups}
        for title, rows in tables.items():
            table = tabulate(rows, headers="keys", maxcolwidths=WIDTHS, disable_numparse=True)
            click.echo(f"# {title}\n{table}\n")


def _recipe(recipe: str, as_json: bool) -> None:
    import yaml

    from repro import paths
    from repro.recipes.load import file_of, load, recipe_hash
    from repro.results.store import Store

    loaded = load(recipe)
    resolved = loaded.model_dump(mode="json", exclude_none=True)
    records = Store(paths.results_dir()).of(recipe)
    digest = recipe_hash(loaded)
    if as_json:
        seeds = [{"seed": r.seed, "hash": r.hash, "metrics": r.metrics} for r in records]
        echo_json({"file": str(file_of(recipe)), "hash": digest, "resolved": resolved, "records": seeds})
        return
    click.echo(f"# {file_of(recipe)}  (hash {digest[:12]})")
    click.echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=100).rstrip())
    current = [r for r in records if r.hash == digest]
    click.echo(f"\n# {len(current)} current records, {len(records) - len(current)} of earlier versions")
    for record in current:
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in record.metrics.items())
        click.echo(f"#   seed {record.seed}: {numbers}")
