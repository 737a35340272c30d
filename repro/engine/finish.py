"""Takes one stage of a run to its outcome, which is left in the stage's folder and read from there the next time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from repro import components, source
from repro.engine import state
from repro.engine.stage import Context, Outcome
from repro.files import file_digest
from repro.options import StageOptions
from repro.pictures import failure
from repro.recipes.schema import Deviation


def finish(ctx: Context, options: StageOptions) -> Outcome:
    """The stage's outcome: read from its folder when it is complete, else made and left there."""
    path = ctx.folder / "outcome.json"
    if ctx.setup.agree(path.exists() and _whole(ctx, path)):
        saved = state.read(path, state.Done)
        ctx.deviations += saved.deviations
        ctx.pictures += saved.pictures
        return Outcome(saved.metrics, saved.curve, saved.facts)
    ctx.folder.mkdir(parents=True, exist_ok=True)
    with _timed(ctx) as seconds:
        stage = components.load(("stages", "experiments"), options.kind)(options)
        outcome = stage.run(ctx)
    if modules := ctx.setup.agree(source.edited(ctx.recipe)):
        ctx.note([edited(modules, "the files were edited while it ran")])
    outcome.facts["seconds"] = round(seconds(), 3)
    outcome.facts["precision"] = stage.computes_in(ctx.setup)
    if ctx.fingerprints:
        outcome.facts["data"] = ctx.fingerprints
    if undrawn := {p: why for p in ctx.pictures if (why := failure(ctx.folder.parent / p))}:
        outcome.facts["undrawn"] = undrawn
        ctx.pictures = [picture for picture in ctx.pictures if picture not in undrawn]
    if ctx.setup.main:
        (ctx.folder / "checkpoint.safetensors").unlink(missing_ok=True)
        saved = state.Done(
            metrics=outcome.metrics,
            curve=outcome.curve,
            facts=outcome.facts,
            deviations=ctx.deviations,
            pictures=ctx.pictures,
            files={p.name: file_digest(p) for p in _left(ctx)},
        )
        state.write(path, saved)
    ctx.setup.agree(None)  # nobody reads this stage's files before they are there
    return outcome


def edited(modules: Sequence[str], why: str) -> Deviation:
    """That these modules were not the same all along."""
    here = f"edited in between: {', '.join(modules)}"
    return Deviation(what="code", paper="one version", here=here, why=why, disqualifies=True)


def _left(ctx: Context) -> list[Path]:
    """The files that a finished stage leaves for the stages after it and for the record."""
    kept = ("outcome.json", "seconds.json")
    return sorted(p for p in ctx.folder.iterdir() if p.is_file() and p.name not in kept)


def _whole(ctx: Context, path: Path) -> bool:
    """Whether the files of a finished stage are as it left them; if not, it is run again."""
    saved = state.read(path, state.Done)
    here = {p.name: p for p in _left(ctx)}
    broken = [n for n, d in saved.files.items() if n not in here or file_digest(here[n]) != d]
    if broken:
        ctx.say(f"{ctx.folder / broken[0]} is not as stage `{ctx.stage}` left it: the stage is run again.")
        path.unlink()
    return not broken


@contextmanager
def _timed(ctx: Context) -> Iterator[Callable[[], float]]:
    """Gives a clock of the stage's working time over all its calls, also those that were stopped."""
    path = ctx.folder / "seconds.json"
    before = state.read(path, state.Clock).seconds if path.exists() else 0.0
    began = time.perf_counter()

    def clock() -> float:
        return before + time.perf_counter() - began

    try:
        yield clock
    finally:
        if ctx.setup.main:
            state.write(path, state.Clock(seconds=clock()))
