"""One `repro run`: recipes and seeds one after the other, skipping, resuming, going on after a failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro import paths
from repro.engine import budget, memory
from repro.engine.describe import describe
from repro.engine.loop import Collapse
from repro.engine.room import room
from repro.engine.run import Run
from repro.engine.setup import Setup, set_up
from repro.errors import UserError
from repro.recipes.feasible import machine, obstacle
from repro.recipes.load import load, recipe_hash
from repro.recipes.schema import Recipe
from repro.results.store import Store
from repro.results.table import Row, render, rows


@dataclass
class Session:
    """What `repro run` was asked to do. `run` does it; `verdicts` are the rows of what was touched.

    On several processes every one goes through the same steps; the main one talks and writes.
    """

    overrides: Sequence[str] = ()
    smoke: bool = False
    budget: str | None = None
    checkpoint_every: str = "60s"
    micro_batch: int | None = None
    device: str = "auto"
    precision: str = "auto"
    force: bool = False
    results: Path | None = None
    keep_going: bool = False
    only_feasible: bool = False
    echo: Callable[[str], None] = print
    _touched: list[Recipe] = field(default_factory=list)

    def run(self, work: Sequence[tuple[Recipe, Sequence[int]]]) -> int:
        """Runs every recipe with its seeds and prints the table. Returns the exit status.

        0: done, or stopped by the budget; 1: something failed; 130: stopped by a signal.
        """
        self._deadline = budget.Deadline(budget.seconds(self.budget) if self.budget else None)
        here = machine()
        failures = 0
        with self._deadline.watching_signals():
            for recipe, seeds in work:
                setup = set_up(self.device, self.precision, recipe.precision)
                self._say = self.echo if setup.main else lambda text: None
                if why := None if self.smoke else obstacle(recipe, here, self.only_feasible):
                    if not self.only_feasible:
                        raise UserError(f"Recipe `{recipe.id}`: {why}.")
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
        return rows([(recipe, recipe_hash(recipe)) for recipe in self._touched], self._store)

    @property
    def _store(self) -> Store:
        usual = paths.project() / ".repro" / "smoke" if self.smoke else paths.results_dir()
        return Store(self.results or usual)

    def _run_recipe(self, recipe: Recipe, seeds: Sequence[int], setup: Setup) -> None:
        digest = recipe_hash(recipe)
        changed = recipe_hash(load(recipe.id)) != digest
        fresh = self.force or self.smoke
        recorded = [s for s in seeds if not fresh and self._store.path(recipe.id, digest, s).exists()]
        recorded = setup.agree(recorded)
        for seed in recorded:
            self._say(f"{recipe.id}, seed {seed}: already recorded (--force runs it again).")
        todo = [s for s in seeds if s not in recorded]
        if todo:
            limit = None if self.smoke else setup.agree(room(setup))
            self._say(describe(recipe, memory.place(setup), self.micro_batch, limit))
        for seed in todo:
            run = Run(
                recipe=recipe,
                seed=seed,
                setup=setup,
                overrides=self.overrides if changed else (),
                smoke=self.smoke,
                fresh=fresh,
                deadline=self._deadline,
                micro_batch=self.micro_batch,
                memory=limit,
                checkpoint_every=budget.seconds(self.checkpoint_every),
                progress_every=0.2 if sys.stderr.isatty() else 20.0,
            )
            self._run_seed(run)

    def _run_seed(self, run: Run) -> None:
        setup = run.setup
        if reason := setup.agree(self._deadline.check()):
            raise budget.Stopped(f"{reason} before seed {run.seed} of {run.recipe.id}")
        record = run.execute()
        if setup.main:
            path = self._store.save(record, run.folder)
            self._say(f"{run.recipe.id}, seed {run.seed}: {record.seconds:.1f} s → {path}")
            for picture in self._store.pictures(record):
                self._say(f"  picture: {picture}")
        setup.agree(None)  # the record is there before anyone looks for it
