"""What `repro.engine.memory` predicts against the true peak, recipe by recipe: `python -m repro.bench memory`.

Each case trains a few steps of one stage on noise of the data set's size, in a process of its own and one after the
other, with a checkpoint after each. The true peak is the high-water mark of the process's resident set on a CPU, and
of torch's allocator on a GPU. Batches are small, so that no case takes more than 5 GB. `memory.md` beside this file
keeps the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import click
from tabulate import tabulate

SIZES = ("standing", "small", "large", "predicted", "measured")  # in GiB
BATCH = "stages.{stage}.batch.size={size}"


@dataclass(frozen=True)
class Case:
    """A stage of a recipe with its batch, micro-batch and precision, and further overrides."""

    recipe: str
    batch: int
    micro_batch: int | None = None
    precision: str = "bf16"
    stage: str = "pretrain"
    overrides: tuple[str, ...] = ()


# The constants of `repro.engine.memory` are fitted on every second case, from the first on; the others check them.
CASES = (
    Case("supcon-digits", 256),
    Case("simclr-cifar10-mini", 256),
    Case("swav-multicrop-cifar10-mini", 256),
    Case("supcon-cifar100", 512, stage="probe"),
    Case("align-uniform-cifar10-200ep-b128", 128),
    Case("align-uniform-cifar10-200ep-b128", 64, precision="fp32"),
    Case("npid-cifar10", 256),
    Case("spectral-cifar10", 128),
    Case("dino-cifar10-1000ep", 64),
    Case("swav-imagenet", 8, 4),
    Case("align-uniform-stl10", 128, overrides=("stages.pretrain.split=train",)),
    Case("moco-cifar10-demo", 256, 128),
    Case("moco-v3-cifar10-1000ep", 64, precision="fp32"),
    Case("nnclr-cifar10-1000ep", 128),
    Case("byol-cifar10-200ep-b512", 128, 64, "fp32"),
    Case("simsiam-cifar10", 256, 128),
    Case("barlow-twins-cifar10-1000ep", 128),
    Case("vicreg-cifar10-1000ep", 64, precision="fp32"),
    Case("deepcluster-v2-cifar10-1000ep", 64),
    Case("simclr-cifar10-200ep-b512", 512, 64),
    Case("supce-cifar100", 64, stage="train"),
    Case("barlow-twins-imagenet-1pct", 8, stage="probe"),
    Case("hcl-cifar10", 64),
    Case("supcon-cifar100", 64, 32),
    Case("supcon-cifar100", 16, precision="fp32"),
)


def measure(case: Case, device: str) -> dict[str, float]:
    """`predicted` and `measured` peak, and of tensors those `standing`, `small` and `large`, in bytes, of a case."""
    command = [sys.executable, "-m", "repro.bench.peak", case.recipe, case.stage, case.precision, device]
    overrides = [BATCH.format(stage=case.stage, size=case.batch), *case.overrides]
    done = subprocess.run(
        [*command, str(case.micro_batch or 0), *overrides], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(f"{case}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


@click.command()
@click.argument("only", nargs=-1, metavar="[RECIPE]...")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(only: tuple[str, ...], device: str) -> None:
    """Compare predicted and true peaks of memory, recipe by recipe."""
    rows = []
    for number, case in enumerate(CASES):
        if only and case.recipe not in only:
            continue
        try:
            found = measure(case, device)
        except click.ClickException as error:  # one that cannot be measured does not hide the others
            error.show()
            continue
        ratio = found["predicted"] / found["measured"]
        batch = f"{case.batch} in {case.micro_batch}" if case.micro_batch else str(case.batch)
        kind = [case.recipe, case.stage, batch, case.precision, "checks" if number % 2 else "fitted"]
        rows.append([*kind, *(f"{found[name] / 2**30:.2f}" for name in SIZES), f"{100 * (ratio - 1):+.1f} %"])
        click.echo(" ".join(rows[-1]), err=True)
    heads = ("recipe", "stage", "batch", "precision", "half", *SIZES, "difference")
    click.echo(tabulate(rows, heads, tablefmt="github", disable_numparse=True))
