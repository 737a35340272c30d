"""One `repro run`: recipes and seeds one after the other, skipping, resuming, going on after a failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro import paths, source
from repro.engine import budget, memory
from repro.engine.describe import describe
from repro.engine.loop import Collapse
from repro.engine.outlook import outlook
from repro.engine.ready import hindrance, refuse
from repro.engine.room import room
from repro.engine.run import Run
from repro.engine.setup import Setup, set_up
from repro.errors import UserError
from repro.recipes.feasible import machine
from repro.recipes.load import load, recipe_hash
from repro.recipes.schema import Recipe
from repro.results.confirm import confirming, difference
from repro.results.record import Record
from repro.results.rows import Row, rows
from repro.results.store import Store
from repro.results.table import render
from repro.results.verdict import outdated as outdated_because
from repro.results.version import current, of_hash, version


@dataclass
class Session:
    """What `repro run` was asked to do. `run` does it; `verdicts` are the rows of what was touched.

    On several processes every one goes through the same steps; the main one talks and writes.
    """

    overrides: Sequence[str] = ()
    smoke: bool = False
    budget: float | None = None  # seconds
    checkpoint_every: float = 60.0  # seconds
    micro_batch: int | None = None
    device: str = "auto"
    precision: str = "auto"
    force: bool = False
    confirm: bool = False
    results: Path | None = None
    keep_going: bool = False
    only_feasible: bool = False
    echo: Callable[[str], None] = print
    _touched: list[Recipe] = field(default_factory=list)
    _limit: float | None = None  # bytes that a process may take

    def run(self, work: Sequence[tuple[Recipe, Sequence[int]]]) -> int:
        """Runs every recipe with its seeds and prints the table. Returns the exit status.

        0: done, or stopped by the budget; 1: something failed; 130: stopped by a signal.
        """
        self._deadline = budget.Deadline(self.budget)
        here = machine()
        failures = 0
        source.look()
        with self._deadline.watching_signals():
            for recipe, seeds in {recipe.id: (recipe, seeds) for recipe, seeds in work}.values():
                setup = set_up(self.device, self.precision, recipe.precision)
                self._say = self.echo if setup.main else lambda text: None
                why = hindrance(recipe, here, setup.processes, self.smoke, self.only_feasible)
                if not self.only_feasible:
                    refuse(recipe, why)
                elif why:
                    self._say(f"Skipped {recipe.id}: {why}.")
                    continue
                self._touched.append(recipe)
                try:
                    self._run_recipe(recipe, seeds, setup)
                except budget.Stopped as stop:
                    self._say(f"Stopped: {stop}. The same command goes on from there.")
                    break
                except (Collapse, UserError) as error:
                    if isinstance(error, UserError) and not self.keep_going:
                        raise
                    self._say(f"Failed: {recipe.id}: {error}")
                    failures += 1
        self._say("\n" + render(self.verdicts(), "text"))
        if self._deadline.signal is not None:
            return 130
        return 1 if failures else 0

    def verdicts(self) -> list[Row]:
        """Reported against measured, for the recipes of this session."""
        return rows(self._touched, self._store)

    @property
    def _store(self) -> Store:
        if self.smoke:  # apart also in a folder of the user's: it must not take the place of a record there
            return Store((self.results or paths.work_dir()) / "smoke")
        return Store(self.results or paths.results_dir())

    def _run_recipe(self, recipe: Recipe, seeds: Sequence[int], setup: Setup) -> None:
        again = self.force or self.smoke
        valid, outdated, otherwise = setup.agree(({}, {}, []) if again else self._recorded(recipe, setup))
        for seed in (s for s in seeds if s in valid):
            when = f"{valid[seed]:.10}"
            self._say(f"{recipe.id}, seed {seed}: already recorded, {when} (--force runs it again).")
        outdated = {s: r for s, r in outdated.items() if s in seeds}
        todo = [s for s in dict.fromkeys(seeds) if s not in valid and s not in outdated]
        if outdated and not self.confirm:
            why = outdated_because(list(outdated.values()), version(recipe))
            self._say(f"{recipe.id}, seeds {', '.join(map(str, outdated))}: recorded. {why}")
        if todo or (outdated and self.confirm):
            self._limit = None if self.smoke else setup.agree(room(setup))
            self._say(describe(recipe, memory.place(setup), self.micro_batch, self._limit))
            if advice := None if self.smoke else outlook(recipe, len(todo) or 1, setup.device.type):
                self._say(advice)
        if self.confirm:
            todo += self._confirm(recipe, outdated, setup)
        for seed in todo:
            run = self._planned(recipe, seed, setup, fresh=again or seed in otherwise)
            self._save(run, self._executed(run))

    def _recorded(self, recipe: Recipe, setup: Setup) -> tuple[dict[int, str], dict[int, Record], list[int]]:
        """The seeds whose records speak for the recipe as it stands, with their dates; the records by earlier code.

        A record in another precision than the one asked for does not count, and its seeds come last; nor does a
        smoke run that was put among the records, nor a file that is left out.
        """
        store, now = self._store, version(recipe)
        everything = of_hash([r for r in store.of(recipe.id) if not r.smoke], now)
        known = [r for r in everything if self.precision in ("auto", r.asked_precision)]
        for why in store.left_out.values():
            self._say(f"Left out: {why}")
        valid = {r.seed: r.finished for r in current(known, now)}
        outdated = {r.seed: r for r in known if r.seed not in valid}
        return valid, outdated, [r.seed for r in everything if r not in known]

    def _confirm(self, recipe: Recipe, outdated: dict[int, Record], setup: Setup) -> list[int]:
        """Runs one seed of each earlier code again. Returns the seeds that have to be run after all.

        Where it gives its record again, to rounding, that code is confirmed and with it its other records; else all
        of these are run again.
        """
        todo = []
        for code in dict.fromkeys(r.code_digest for r in outdated.values()):
            records = {s: r for s, r in outdated.items() if r.code_digest == code}
            seed, earlier = next(iter(records.items()))
            run = self._planned(recipe, seed, setup, fresh=False, apart=True)
            record = self._executed(run)
            confirmed = confirming(record, earlier)
            self._save(run, confirmed or record)
            gap = difference(record, earlier)
            if confirmed:
                self._say(f"{recipe.id}: confirmed by seed {seed}, largest difference {gap:.1e}.")
            else:
                self._say(
                    f"{recipe.id}: seed {seed} came out otherwise ({gap:.1e}): the other seeds are run again."
                )
                todo += [s for s in records if s != seed]
        return todo

    def _planned(self, recipe: Recipe, seed: int, setup: Setup, fresh: bool, apart: bool = False) -> Run:
        changed = recipe_hash(load(recipe.id)) != recipe_hash(recipe)
        return Run(
            recipe=recipe,
            seed=seed,
            setup=setup,
            overrides=self.overrides if changed else (),
            smoke=self.smoke,
            fresh=fresh,
            apart=apart,
            deadline=self._deadline,
            micro_batch=self.micro_batch,
            memory=self._limit,
            checkpoint_every=self.checkpoint_every,
            progress_every=0.2 if sys.stderr.isatty() else 20.0,
            say=self._say,
        )

    def _executed(self, run: Run) -> Record:
        if reason := run.setup.agree(self._deadline.check()):
            raise budget.Stopped(f"{reason} before seed {run.seed} of {run.recipe.id}")
        return run.execute()

    def _save(self, run: Run, record: Record) -> None:
        if run.setup.main:
            path = self._store.save(record, run.folder)
            self._say(f"{run.recipe.id}, seed {run.seed}: {record.seconds:.1f} s → {path}")
            for picture in self._store.pictures(record):
                self._say(f"  picture: {picture}")
        run.setup.agree(None)  # the record is there before anyone looks for it
