"""repro doctor"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from repro.cli.common import as_json, echo_json, tell_invalid
from repro.errors import UserError

if TYPE_CHECKING:
    from repro.recipes.feasible import Machine


@click.command(
    "doctor",
    epilog="""\b
Examples:
  repro doctor
  repro doctor --all                  with the names of the recipes that cannot be run
  repro doctor --torch                with what torch finds, which takes longer
  repro doctor --json | jq .recipes
""",
)
@click.option("--all", "everything", is_flag=True, help="Name the recipes that cannot be run.")
@click.option("--torch", "ask_torch", is_flag=True, help="Ask torch for its devices and precision.")
@as_json
def command(everything: bool, ask_torch: bool, as_json: bool) -> None:
    """What this machine can run: devices, memory, precision, data; what is missing and how to get it."""
    from repro.data.available import available
    from repro.data.declare import names
    from repro.host import packages
    from repro.recipes.feasible import machine
    from repro.recipes.load import ids

    here = machine()
    facts = _torch_facts() if ask_torch else _facts(here)
    data = {name: _or_error(lambda name=name: available(name)) for name in names()}
    obstacles = {recipe_id: _obstacle(recipe_id, here) for recipe_id in ids()}
    if as_json:
        echo_json({"machine": facts, "packages": packages(), "data": data, "recipes": obstacles})
        return
    click.echo(tabulate([[k, _cell(v)] for k, v in facts.items()], tablefmt="plain"))
    versions = ", ".join(f"{name} {number}" for name, number in packages().items())
    click.echo(fill(versions, 110, initial_indent="packages   ", subsequent_indent=" " * 11))
    there = [f"{name} ({source})" for name, source in data.items() if source]
    missing = [name for name, source in data.items() if not source]
    for title, sets in (("here", there), ("missing", missing)):
        click.echo(
            fill(", ".join(sets) or "none", 110, initial_indent=f"data {title:8}", subsequent_indent=" " * 13)
        )
    can = sum(why is None for why in obstacles.values())
    click.echo(f"\nThis machine can run {can} of {len(obstacles)} recipes.")
    for why, recipes in _by_reason(obstacles).items():
        click.echo(f"{len(recipes):5} cannot be run: {why if everything else why.partition(': ')[0]}")
        if everything:
            text = fill(", ".join(recipes), 118, break_on_hyphens=False)
            click.echo("\n".join(f"        {line}" for line in text.splitlines()))
    if not everything and can < len(obstacles):
        click.echo("`repro doctor --all` names them; `repro data list` tells how to get data.")


def _facts(here: Machine) -> dict[str, Any]:
    """The machine as the operating system and NVIDIA's driver describe it."""
    from repro import host

    fast = {"amx_tile", "avx512_bf16"} & host.cpu_flags()
    return {
        "cpu": host.cpu_name(),
        "cores": host.cores(),
        "memory_gb": round(here.memory_gb, 1),
        "gpus": [f"{name}, {memory:.0f} GB" for name, memory in here.gpus],
        "system": host.system(),
        "device": "cuda" if here.gpus else "cpu",
        "precision": "bf16 from Ampere on" if here.gpus else "bf16" if fast else "fp32",
    }


def _torch_facts() -> dict[str, Any]:
    from repro.engine.setup import set_up

    setup = set_up()
    return {**setup.hardware, "device": setup.device.type, "precision": setup.precision}


def _obstacle(recipe_id: str, here: Machine) -> str | None:
    from repro.recipes.feasible import obstacle
    from repro.recipes.load import load

    try:
        return obstacle(load(recipe_id), here)
    except UserError as error:
        return f"its file is broken ({str(error).splitlines()[0]})"


def _or_error(ask: Any) -> str | None:
    try:
        return ask()
    except UserError as error:
        tell_invalid([error])
        return None


def _cell(value: Any) -> Any:
    return ", ".join(value) or "none" if isinstance(value, list) else value


def _by_reason(obstacles: dict[str, str | None]) -> dict[str, list[str]]:
    """What stops most recipes first."""
    reasons: dict[str, list[str]] = {}
    for recipe, why in obstacles.items():
        if why:
            reasons.setdefault(why, []).append(recipe)
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))
