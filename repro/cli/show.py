"""repro show"""

from __future__ import annotations

import click

from repro.cli.common import RECIPE, as_json, echo_json


@click.command(
    "show",
    epilog="""\b
Examples:
  repro show supcon-cifar100
  repro show supcon-cifar100 --json | jq .resolved.stages.pretrain.optimizer
""",
)
@click.argument("recipe", type=RECIPE)
@as_json
def command(recipe: str, as_json: bool) -> None:
    """Show one recipe as it will be executed, with what it inherits, and what came of it."""
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
