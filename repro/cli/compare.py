"""repro compare"""

from __future__ import annotations

import click

from repro.cli.common import RECIPE, as_json


@click.command(
    "compare",
    epilog="""\b
Examples:
  repro compare supcon-cifar100                     measured with reported
  repro compare supcon-cifar10 simclr-cifar10       recipes with each other, with intervals
  repro compare a/record.json b/record.json         records, wherever they are
""",
)
@click.argument("what", nargs=-1, required=True, type=RECIPE)
@as_json
def command(what: tuple[str, ...], as_json: bool) -> None:
    """Compare one recipe with its paper, or several recipes (or record files) with each other."""
    from pathlib import Path

    from repro import paths
    from repro.recipes.load import load, recipe_hash
    from repro.results.compare import differences
    from repro.results.compare import render as render_differences
    from repro.results.store import Store
    from repro.results.table import render, rows

    store = Store(paths.results_dir())
    if len(what) == 1 and not what[0].endswith(".json"):
        recipe = load(what[0])
        found = rows([(recipe, recipe_hash(recipe))], store)
        click.echo(render(found, "json" if as_json else "text"))
        for row in found if not as_json else ():
            if row.judgement:
                click.echo(f"\n{row.metric}: {row.verdict}. {row.judgement.reason}")
        return
    groups = {}
    for name in what:
        if name.endswith(".json"):
            groups[name] = [store.load(Path(name))]
        else:
            digest = recipe_hash(load(name))
            groups[name] = [r for r in store.of(name) if r.hash == digest and r.comparable]
    click.echo(render_differences(differences(groups), "json" if as_json else "text"))
