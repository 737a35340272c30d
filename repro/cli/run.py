"""repro run"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro import paths
from repro.cli.common import RECIPE, tell_invalid
from repro.cli.types import Duration, Positive, Seeds
from repro.errors import UserError

if TYPE_CHECKING:
    from repro.recipes.schema import Recipe


@click.command(
    "run",
    epilog="""\b
Examples:
  repro run supcon-simplex-toy                      all seeds of the recipe, then the verdict
  repro run supcon-cifar100 --seed 0 --budget 25m   stop cleanly in time; the same command goes on
  repro run supcon-cifar100 --smoke                 seconds, on random data: is it wired up?
  repro run supcon-digits -o stages.pretrain.epochs=5
  repro run supcon-cifar100 --processes 8           the same numbers on eight GPUs
  repro run supcon-cifar100 --plan --processes 4 --memory 16
  repro run --all --tier cpu                        every recipe of the tier that this machine can run

What is already recorded is not run again (--force does), and what was interrupted is resumed.
""",
)
@click.argument("recipes", nargs=-1, type=RECIPE)
@click.option("--all", "everything", is_flag=True, help="All recipes that this machine can run.")
@click.option("--tier", type=click.Choice(["cpu", "gpu", "cluster"]), help="With --all: only this tier.")
@click.option("--seed", type=Seeds(), help="One seed instead of the recipe's.")
@click.option("--seeds", type=Seeds(), help="Seeds instead of the recipe's, for example 0,1,2.")
@click.option("-o", "--override", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value.")
@click.option("--smoke", is_flag=True, help="Run everything tiny, on random data; never comparable.")
@click.option("--budget", type=Duration(), help="Stop cleanly after this time, for example 25m or 1h30m.")
@click.option(
    "--micro-batch", type=click.IntRange(min=1), help="At most so many samples at once; gradients are cached."
)
@click.option(
    "--checkpoint-every",
    type=Duration(),
    default="60s",
    show_default=True,
    help="Time between checkpoints.",
)
@click.option("--processes", type=click.IntRange(min=1), help="Processes on this machine, one a GPU.")
@click.option(
    "--plan",
    is_flag=True,
    help="Print how batches would be divided here and the memory needed, and stop.",
)
@click.option("--memory", type=Positive(), metavar="GB", help="With --plan: as if each process had so much.")
@click.option("--find-micro-batch", is_flag=True, help="Print the largest micro-batch that fits, and stop.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--precision", type=click.Choice(["auto", "fp32", "tf32", "bf16"]), default="auto", show_default=True
)
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where records are kept, in place of the project's results/.",
)
@click.option("--strict", is_flag=True, help="Exit with status 1 unless every verdict is `matches`.")
@click.option("--force", is_flag=True, help="Run again even where a record exists.")
@click.option("--confirm", is_flag=True, help="Where code has changed since: does a seed come out the same?")
def command(
    recipes: tuple[str, ...],
    everything: bool,
    tier: str | None,
    seed: list[int] | None,
    seeds: list[int] | None,
    overrides: tuple[str, ...],
    smoke: bool,
    micro_batch: int | None,
    processes: int | None,
    plan: bool,
    memory: float | None,
    find_micro_batch: bool,
    device: str,
    precision: str,
    strict: bool,
    **how: Any,
) -> None:
    """Run recipes and compare the results with what the papers report."""
    if everything == bool(recipes):
        raise UserError("Name the recipes to run, or use --all; `repro list` shows what there is.")
    if seed is not None and seeds is not None:
        raise UserError("Use either --seed or --seeds.")
    from repro.engine import launch

    world = _processes(processes, launch.launched())
    chosen = [r for r in _chosen(recipes, overrides) if tier in (None, r.tier)]
    if plan:
        for recipe in chosen:
            click.echo(_planned(recipe, device, precision, world, micro_batch, memory))
        return
    if find_micro_batch:
        _find(chosen, device, precision)
        return
    if not (smoke or how["results"]):
        paths.the_project("records", ", or say with --results where to keep them")
    if not launch.launched():
        _refuse(chosen if not everything else (), world, device, smoke)
        if world > 1:
            sys.exit(launch.on_processes(world, sys.argv[1:]))
    launch.stop_with_the_launcher()
    from repro.engine.session import Session

    session = Session(
        overrides=overrides,
        smoke=smoke,
        micro_batch=micro_batch,
        device=device,
        precision=precision,
        keep_going=everything or len(chosen) > 1,
        only_feasible=everything,
        echo=_tell,
        **how,
    )
    with launch.one_of(world):
        status = session.run([(recipe, seed or seeds or list(recipe.seeds)) for recipe in chosen])
    rows = session.verdicts()
    if strict and any(row.verdict not in ("matches", None) for row in rows):
        status = status or 1
    sys.exit(status)


def _planned(
    recipe: Recipe,
    device: str,
    precision: str,
    processes: int,
    micro_batch: int | None,
    memory_gb: float | None,
) -> str:
    """What a run would do here, or with so much memory for each process."""
    from repro.engine import memory
    from repro.engine.describe import GB, describe
    from repro.engine.ready import indivisible, refuse
    from repro.engine.room import room
    from repro.engine.setup import set_up

    refuse(recipe, indivisible(recipe, processes))
    setup = set_up(device, precision, recipe.precision)
    place = replace(memory.place(setup), processes=processes)
    limit = memory_gb * GB if memory_gb else room(setup, processes)
    return describe(recipe, place, micro_batch, limit)


def _find(recipes: Sequence[Recipe], device: str, precision: str) -> None:
    from repro.engine.find import largest_micro_batch
    from repro.engine.setup import set_up
    from repro.options import TrainingOptions

    for recipe in recipes:
        setup = set_up(device, precision, recipe.precision)
        for name, stage in recipe.stages.items():
            if isinstance(stage, TrainingOptions):
                size = largest_micro_batch(recipe, name, setup)
                click.echo(
                    f"{recipe.id} {name}: {size} of {stage.batch.size} samples fit on {setup.device.type}."
                )


def _tell(text: str) -> None:
    """Prints a line. A terminal that has gone is no reason to fail: the run has been told so, and stops."""
    try:
        click.echo(text)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (until the end of the process)


def _chosen(recipes: Sequence[str], overrides: Sequence[str]) -> list[Recipe]:
    """These recipes, or if none is named every one, where a broken one is told and left out."""
    from repro.recipes.load import every, load

    if recipes:
        return [load(recipe, overrides) for recipe in recipes]
    found, broken = every(overrides)
    tell_invalid(broken)
    return found


def _processes(asked: int | None, launched: int | None) -> int:
    """The number of processes that this command runs on, or is to start."""
    if asked and launched and asked != launched:
        raise UserError(
            f"--processes {asked}: a launcher has already started {launched} here (RANK and WORLD_SIZE are set); "
            "leave one of the two out."
        )
    return launched or asked or 1


def _refuse(recipes: Sequence[Recipe], processes: int, device: str, smoke: bool) -> None:
    """Raises UserError for what would end the run of one of the recipes, before anything is started."""
    from repro.engine.ready import hindrance, refuse
    from repro.recipes.feasible import machine

    here = machine()
    for recipe in recipes:
        refuse(recipe, hindrance(recipe, here, processes, smoke))
    if processes > 1:
        from repro.engine.setup import gpus

        gpus(device, processes)
