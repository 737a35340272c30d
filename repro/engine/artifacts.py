"""What stages leave for later ones beside networks: an index of rows, labels, features, prototypes, …

An artifact is a file `<what>.safetensors` in its stage's folder: tensors of known types, under a digest and bound to
its place, and it says of which data it speaks.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from repro.data.table import Table
from repro.engine import checkpoint, state
from repro.errors import UserError
from repro.options import DataOptions

if TYPE_CHECKING:
    from repro.engine.stage import Context

# Of the kinds of artifacts that several stages know: which tensors they have, their types and numbers of dimensions.
LAYOUTS: Mapping[str, Mapping[str, tuple[torch.dtype, int]]] = {
    "index": {"index": (torch.int64, 1)},
    "labels": {"index": (torch.int64, 1), "label": (torch.int64, 1)},
    "features": {"features": (torch.float32, 2)},
    "prototypes": {"prototypes": (torch.float32, 2), "label": (torch.int64, 1)},
}


class About(state.Bound):
    """What an artifact speaks of: rows of a split of a data set, or of no data at all."""

    what: str
    set: str | None = None
    split: str | None = None
    rows: int | None = None


class Artifact(NamedTuple):
    """What a stage has left."""

    tensors: dict[str, Tensor]
    about: About


@dataclass(frozen=True)
class Numbered:
    """A table, and which `rows` (n,) of the `whole` split its samples are."""

    table: Any
    rows: Tensor
    whole: Any


def leave(ctx: Context, what: str, tensors: Mapping[str, Tensor], data: Numbered | None = None) -> None:
    """Leaves the tensors as `what`; an `index` in them is one of rows of the split that `data` was taken from."""
    if problem := _problem(what, tensors):
        raise ValueError(f"stage `{ctx.stage}`: {what}: {problem}")
    path = _place(ctx.folder, what)
    about = About(of=state.place(path), what=what)
    if data:
        about = about.model_copy(
            update={"set": data.table.name, "split": data.table.split, "rows": len(data.whole)}
        )
    if ctx.setup.main:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, tensors, about.model_dump())


def left(ctx: Context, stage: str, what: str, table: Table | None = None) -> Artifact:
    """What the stage left as `what`, on the CPU. Raises UserError when it is damaged, or not of this table's split.

    The table is the whole split, to whose rows the `index` belongs.
    """
    path = _place(ctx.of(stage), what)
    tensors, facts = checkpoint.load(path)
    about = state.typed(path, facts, About)
    problem = "it is something else" if about.what != what else _problem(what, tensors)
    index = tensors.get("index")
    if not problem and index is not None and len(index) and about.rows is not None:
        outside = int(index.min()) < 0 or int(index.max()) >= about.rows
        problem = f"it names rows that its {about.rows} samples do not have" if outside else None
    if problem:
        raise state.damaged(path, problem)
    if table is not None and about.rows is not None:
        _same(ctx, stage, what, about, table)
    return Artifact(tensors, about)


def measured(ctx: Context, patterns: Sequence[str]) -> dict[str, float]:
    """The metrics, `<stage>.<metric>`, of earlier stages that a pattern names, in the order of the stages."""
    known: dict[str, float] = {}
    for stage in takewhile(lambda name: name != ctx.stage, ctx.recipe.stages):
        if any(fnmatch.fnmatchcase(stage, pattern.partition(".")[0]) for pattern in patterns):
            metrics = state.read(ctx.of(stage) / "outcome.json", state.Done).metrics
            known |= {f"{stage}.{name}": value for name, value in metrics.items()}
    return {
        name: value for name, value in known.items() if any(fnmatch.fnmatchcase(name, p) for p in patterns)
    }


def numbered(ctx: Context, options: DataOptions | None, split: str) -> Numbered:
    """What `ctx.table` gives, with the rows of the split that its samples are."""
    whole: list[Table] = []

    def load(*which: str) -> Table:
        whole.append(ctx.load(*which))
        return replace(whole[-1], fields={**whole[-1].fields, "row": torch.arange(len(whole[-1]))})

    table = replace(ctx, load=load).table(options, split)
    return Numbered(table, table["row"], whole[0])


def _same(ctx: Context, stage: str, what: str, about: About, table: Table) -> None:
    known, here = (about.set, about.split, about.rows), (table.name, table.split, len(table))
    if known != here:
        raise UserError(
            f"Stage `{ctx.stage}`: the {what} of stage `{stage}` is one of split `{about.split}` of `{about.set}` "
            f"({about.rows} samples), not of split `{table.split}` of `{table.name}` ({len(table)})."
        )


def _place(folder: Path, what: str) -> Path:
    return folder / f"{what}.safetensors"


def _problem(what: str, tensors: Mapping[str, Tensor]) -> str | None:
    """What is wrong with the tensors of a kind whose layout is known."""
    layout = LAYOUTS.get(what, {})
    for name, (dtype, dims) in layout.items():
        if (tensor := tensors.get(name)) is None:
            return f"it has no `{name}`"
        if (tensor.dtype, tensor.dim()) != (dtype, dims):
            return f"`{name}` is {tensor.dtype} {tuple(tensor.shape)}"
    if len({len(tensors[name]) for name in layout}) > 1:
        return "its tensors are of different lengths"
    return None
