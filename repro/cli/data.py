"""repro data"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from repro.cli.common import DATA_SET, as_json, echo_json, tell_invalid

if TYPE_CHECKING:
    from repro.data.declare import DataSet


@click.group(
    "data",
    epilog="""\b
Examples:
  repro data list                     what there is, and what is here
  repro data get cifar10 cifar100     download from the hub, once; then all works offline
  repro data verify                   compare what is here with the released data

\b
Files that you have already: put them (or a link to them) where REPRO_DATA says, one folder for each set:
  export REPRO_DATA=~/data
  ls ~/data/cifar10                   train-00000-of-00001.parquet  test-00000-of-00001.parquet
""",
)
def command() -> None:
    """List, fetch and verify the data sets."""


@command.command(
    "list", epilog="\b\nExample:\n  repro data list --json | jq -r '.[] | select(.available) | .name'\n"
)
@as_json
def list_sets(as_json: bool) -> None:
    """List the data sets, and where each would come from."""
    from repro.data.available import available, lacking

    sets = [(declared, available(declared.name)) for declared in _readable()]
    if as_json:
        facts = {"name", "title", "licence", "citation", "splits", "shape", "classes"}
        more = [{"available": here, "how_to_get": declared.how_to_get} for declared, here in sets]
        echo_json([d.model_dump(include=facts) | m for (d, _), m in zip(sets, more, strict=True)])
        return
    rows = [
        [d.name, here or "missing", "×".join(map(str, d.shape)), _counts(d.splits), d.title]
        for d, here in sets
    ]
    click.echo(tabulate(rows, headers=["name", "here", "shape", "samples", "title"]))
    for declared, here in sets:
        if here is None:
            click.echo(f"\n{declared.name} is missing: {lacking(declared.name)}.")


@command.command("get", epilog="\b\nExample:\n  repro data get cifar10 cifar100\n")
@click.argument("names", nargs=-1, required=True, type=DATA_SET)
def get_sets(names: tuple[str, ...]) -> None:
    """Download, verify and keep data sets."""
    from repro.data.declare import declaration

    for name in names:
        declaration(name)  # a mistake in the last name is told before the first download
    from repro.data.load import get

    for name in names:
        splits = get(name)
        click.echo(f"{name}: {_counts({s.split: len(s) for s in splits})}")


@command.command(
    "verify",
    epilog="""\b
Examples:
  repro data verify                   every data set that is here
  repro data verify cifar100 --json

\b
content: the same samples, in any order; exit status 1 if it differs.
order:   the rows stand in the official order; another order is noted in the records of runs.
""",
)
@click.argument("names", nargs=-1, type=DATA_SET)
@as_json
def verify_sets(names: tuple[str, ...], as_json: bool) -> None:
    """Compare data sets with the known fingerprints."""
    from repro.data.available import available
    from repro.data.declare import declaration

    chosen = [*map(declaration, names)] or [d for d in _readable() if available(d.name)]
    from repro.data.load import verify

    results = [
        {"name": declared.name, "split": split, **dataclasses.asdict(verify(declared.name, split))}
        for declared in chosen
        for split in declared.splits
    ]
    if as_json:
        echo_json(results)
    else:
        click.echo(
            tabulate(
                [[r[k] or "" for k in r] for r in results],
                headers=["name", "split", "content", "order", "note"],
            )
        )
    sys.exit(any(r["content"] == "differs" for r in results))


def _readable() -> list[DataSet]:
    """The declarations of all sets; a broken one is told and left out."""
    from repro.data.declare import every

    found, broken = every()
    tell_invalid(broken)
    return found


def _counts(splits: dict[str, int]) -> str:
    return ", ".join(f"{split} {rows:,}" for split, rows in splits.items())
