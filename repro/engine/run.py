"""Runs one recipe with one seed: its stages in order, each resumed where it was left, then the record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from repro import components, paths, source
from repro.data.load import load as load_data
from repro.data.load import look_alike
from repro.data.table import Table
from repro.engine import memory, state
from repro.engine.budget import Deadline
from repro.engine.finish import edited, finish
from repro.engine.setup import Setup
from repro.engine.stage import Context, Outcome, fewer_rows
from repro.errors import UserError
from repro.host import code_version, packages
from repro.keys import key
from repro.recipes.load import recipe_hash, with_fewer_rounds
from repro.recipes.schema import Deviation, Recipe
from repro.results.record import Record

SMOKE_SAMPLES = 16
SMOKE_ROUNDS = 2  # the first and one that follows another
RESUMED = "the run was resumed so"


@dataclass(frozen=True)
class Run:
    """One execution of a recipe. `recipe` is as it will be executed; a smoke run shrinks it itself.

    A `fresh` run forgets what an earlier one has left; else it goes on from there. One that is kept `apart`, by the
    code that computes it, goes on only from what that code has left. Without a `micro_batch` each stage has the one
    with which a process takes at most `memory` bytes, if that is given.
    """

    recipe: Recipe
    seed: int
    setup: Setup
    overrides: Sequence[str] = ()
    smoke: bool = False
    fresh: bool = False
    apart: bool = False
    deadline: Deadline = field(default_factory=Deadline)
    micro_batch: int | None = None
    memory: float | None = None
    progress_every: float = 0.0
    checkpoint_every: float = 60.0
    say: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Where the run keeps its checkpoints, log and pictures until, and after, it is finished."""
        kind = "-smoke" if self.smoke else f"-{source.combined(source.components(self.recipe))}" * self.apart
        return paths.runs_dir() / self.recipe.id / f"{recipe_hash(self.recipe)[:12]}-seed{self.seed}{kind}"

    def execute(self) -> Record:
        """Runs what is still to do and returns the record.

        Raises Stopped (resumable), Collapse, or UserError; whatever was finished before stays.
        """
        recipe = shrunk(self.recipe) if self.smoke else self.recipe
        with self._alone():
            sessions = self._note_session()
            data = cache(self._data)
            deviations: list[Deviation] = [*recipe.deviations, *mixed(sessions)]
            outcomes, pictures = {}, []
            for name, options in recipe.stages.items():
                ctx = Context(
                    recipe=recipe,
                    stage=name,
                    seed=self.seed,
                    setup=self.setup,
                    folder=self.folder / name,
                    load=data,
                    deadline=self.deadline,
                    micro_batch=self.micro_batch or self._fitting(recipe, name),
                    checkpoint_every=self.checkpoint_every,
                    progress_every=self.progress_every,
                    say=self.say,
                )
                outcomes[name] = finish(ctx, options)
                deviations += ctx.deviations
                pictures += ctx.pictures
            return self._record(recipe, outcomes, deviations, pictures, sessions)

    def _fitting(self, recipe: Recipe, stage: str) -> int | None:
        return memory.micro_batch(recipe, stage, memory.place(self.setup), self.memory)

    def _data(self, split: str, set: str | None = None) -> Table:
        name = set or self.recipe.dataset
        if name is None:
            raise UserError(
                f"Recipe `{self.recipe.id}`: a stage needs data, and the recipe names no `dataset`."
            )
        if self.smoke:
            return look_alike(name, split, SMOKE_SAMPLES, key(self.seed, "look-alike", split))
        with self.setup.main_first():
            return load_data(name, split)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the run's lock: two commands never work on one run at a time."""
        if not self.setup.main:
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder.with_suffix(".lock"), timeout=0)
            lock.acquire()
        except Timeout:
            raise UserError(
                f"Recipe `{self.recipe.id}` with seed {self.seed} is being run by another process right now."
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written ({error.strerror or error}); REPRO_RUNS names another folder for "
                "runs, --results one for records."
            ) from None
        with lock:
            lock.release()  # `with` has taken it a second time
            if self.fresh:
                shutil.rmtree(self.folder)
                self.folder.mkdir()
            yield

    def _note_session(self) -> list[state.Note]:
        """Adds this call to the run's list of sessions: a run may be resumed by another code or machine."""
        if not self.setup.main:
            return self.setup.agree(None)
        path = self.folder / "sessions.json"
        if not path.exists() and any(self.folder.glob("*/*")):
            raise state.damaged(path, "it is missing, and a stage has left its work")
        known = state.read(path, state.Sessions) if path.exists() else state.Sessions()
        known.sessions.append(
            state.Note(
                started=_now(),
                device=self.setup.device.type,
                processes=self.setup.processes,
                precision=self.setup.precision,
                code=code_version(),
                components=source.components(self.recipe),
            )
        )
        state.write(path, known)
        return self.setup.agree(known.sessions)

    def _record(
        self,
        recipe: Recipe,
        outcomes: dict[str, Outcome],
        deviations: list[Deviation],
        pictures: list[str],
        sessions: list[state.Note],
    ) -> Record:
        return Record(
            recipe=recipe.id,
            paper=recipe.paper,
            hash=recipe_hash(self.recipe),
            seed=self.seed,
            resolved=recipe.model_dump(mode="json", exclude_none=True),
            overrides=list(self.overrides),
            smoke=self.smoke,
            metrics={f"{s}.{m}": v for s, o in outcomes.items() for m, v in o.metrics.items()},
            curves={s: o.curve for s, o in outcomes.items() if o.curve},
            stages={s: o.facts for s, o in outcomes.items()},
            plan={"sessions": [s.model_dump(mode="json", exclude={"components"}) for s in sessions]},
            deviations=list(dict.fromkeys(deviations)),
            hardware=self.setup.hardware,
            packages=packages(),
            code=code_version(),
            components=sessions[-1].components,
            precision=", ".join(dict.fromkeys(o.facts["precision"] for o in outcomes.values())),
            device=self.setup.device.type,
            started=sessions[0].started,
            finished=_now(),
            seconds=sum(o.facts["seconds"] for o in outcomes.values()),
            artifacts=pictures,
        )


def mixed(sessions: Sequence[state.Note]) -> list[Deviation]:
    """What was not the same in all sessions of a run and can change its numbers."""
    first, found = sessions[0], []
    modules = sorted({m for s in sessions for m in source.changed(first.components, s.components)})
    if modules:
        found.append(edited(modules, RESUMED))
    precisions = dict.fromkeys(s.precision for s in sessions)
    if len(precisions) > 1:
        here = ", then ".join(precisions)
        found.append(
            Deviation(what="precision", paper="one for all steps", here=here, why=RESUMED, disqualifies=True)
        )
    return found


def shrunk(recipe: Recipe) -> Recipe:
    """The recipe with few rounds and every stage made small enough for a smoke run."""
    recipe = with_fewer_rounds(recipe, SMOKE_ROUNDS)
    stages = {
        name: fewer_rows(components.load(("stages", "experiments"), options.kind).smoke(options))
        for name, options in recipe.stages.items()
    }
    return recipe.model_copy(update={"stages": stages})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
