"""repro doctor"""

from __future__ import annotations

from collections import Counter
from textwrap import fill

import click
from tabulate import tabulate

from repro.cli.common import as_json, echo_json


@click.command("doctor", epilog="\b\nExample:\n  repro doctor --json | jq .recipes\n")
@as_json
def command(as_json: bool) -> None:
    """What this machine can run: devices, memory, precision, data; what is missing and how to get it."""
    from repro.data.available import available
    from repro.data.declare import declaration, names
    from repro.engine.setup import packages, set_up
    from repro.recipes.feasible import machine, obstacle
    from repro.recipes.load import ids, load

    setup, here = set_up(), machine()
    data = {name: available(name) for name in names()}
    obstacles = {recipe_id: obstacle(load(recipe_id), here) for recipe_id in ids()}
    if as_json:
        machine_facts = {**setup.hardware, "device": setup.device.type, "precision": setup.precision}
        echo_json({"machine": machine_facts, "packages": packages(), "data": data, "recipes": obstacles})
        return
    facts = {**setup.hardware, "device": setup.device.type, "auto precision": setup.precision}
    click.echo(tabulate([[k, v if v != [] else "none"] for k, v in facts.items()], tablefmt="plain"))
    click.echo("\nData sets")
    lines = [
        [f"  {name}", source or f"missing: {declaration(name).how_to_get}"] for name, source in data.items()
    ]
    click.echo(tabulate(lines, tablefmt="plain"))
    can = [r for r, why in obstacles.items() if why is None]
    click.echo(f"\nThis machine can run {len(can)} of {len(obstacles)} recipes.")
    for why, recipes in _by_reason(obstacles).items():
        click.echo(f"\n{len(recipes)} cannot be run: {why}")
        click.echo(
            fill(", ".join(recipes), 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        )


def _by_reason(obstacles: dict[str, str | None]) -> dict[str, list[str]]:
    """What stops most recipes first."""
    reasons = Counter(why for why in obstacles.values() if why)
    return {why: [r for r, w in obstacles.items() if w == why] for why, _ in reasons.most_common()}
