"""repro compare"""

from __future__ import annotations

import click

from repro.cli.common import RECIPE, as_json, tell_left_out


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
    from repro.recipes.load import load
    from repro.results.compare import differences
    from repro.results.compare import render as render_differences
    from repro.results.rows import rows
    from repro.results.store import Store
    from repro.results.table import render
    from repro.results.version import current, version

    store = Store(paths.results_dir())
    if len(what) == 1 and not what[0].endswith(".json"):
        recipe = load(what[0])
        found = rows([recipe], store)
        tell_left_out(store)
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
            runs = current(store.of(name), version(load(name)))
            groups[name] = [r for r in runs if r.comparable]
    tell_left_out(store)
    click.echo(render_differences(differences(groups), "json" if as_json else "text"))
