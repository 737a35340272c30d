"""Evolving Hebbian rules that control an agent from random weights: Najarro and Risi 2020 (arXiv 2007.02686)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.energy_or_hebbian.evolution.evolve import Evolution
from repro.experiments.energy_or_hebbian.evolution.strategy import Array
from repro.experiments.energy_or_hebbian.evolution.workers import Workers
from repro.experiments.energy_or_hebbian.hebbian.episodes import Job, Trial, fitness
from repro.experiments.energy_or_hebbian.hebbian.networks import start
from repro.experiments.energy_or_hebbian.hebbian.worlds import WORLDS
from repro.experiments.energy_or_hebbian.hebbian_control_options import HebbianControlOptions
from repro.keys import key
from repro.pictures import Curve, plot
from repro.views.workers import default_workers


class HebbianControl(Stage):
    """Evolves the rules of a plastic network, or the weights of a static one, and tests the last mean.

    A plastic network's weights are drawn anew, uniform in ±`reach`, at the start of each episode. A member's
    fitness is the return of one episode, in the quadruped's case the mean of two, intact and with the right
    front leg damaged, less `penalty` times the mean square of its coefficients. See `Evolution` for the rest.

    The test is `episodes` new episodes of each kind. Metrics, mean returns: `return`, nothing damaged; for the
    quadruped `return_right` and `return_left`, with that front leg damaged, the left one never in training;
    `return_zeroed_<%>` for each share of `zeroed`: at step `zeroed_at`, that share of all weights becomes 0. A
    static network stays so, a plastic one goes on with its rules.

    $REPRO_WORKERS processes simulate (see `repro.views.workers`); the result does not depend on their number, and
    neither on a GPU. Raises UserError when a simulator is missing.
    """

    Options = HebbianControlOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        world = WORLDS[o.world]
        world(1, "intact").close()  # a missing simulator is told before anything starts
        random = np.random.default_rng(key(ctx.seed, ctx.stage, "start"))
        evolution = Evolution(ctx, o, start(world.form, o.plastic, random))
        loop = Loop(ctx, o.generations, evolution.parts, o.population)
        with Workers(default_workers()) as workers:
            for generation in loop:
                jobs = [
                    j for trial in self._training() for j in self._members(ctx, evolution, generation, trial)
                ]
                returns = np.concatenate(workers.map(fitness, jobs))
                members = returns.reshape(-1, o.population).mean(0)
                evolution.update(generation, members)
                loop.log(fitness=members.mean(), best=members.max(), sigma=evolution.sigma(generation))
            tests = self._tests()
            jobs = [j for trial in tests.values() for j in self._mean(ctx, evolution.mean, trial)]
            returns = np.concatenate(workers.map(fitness, jobs))
        found = dict(zip(tests, returns.reshape(len(tests), -1), strict=True))
        if ctx.setup.main:
            draw(ctx, loop.curve, found)
        return Outcome({name: float(r.mean()) for name, r in found.items()}, loop.curve, loop.facts)

    def _training(self) -> list[Trial]:
        o = self.options
        return [Trial(o.world, o.steps, body) for body in ("intact", "right")[: 1 + (o.world == "ant")]]

    def _tests(self) -> dict[str, Trial]:
        o = self.options
        legs = ("right", "left") if o.world == "ant" else ()
        tests = {"return": Trial(o.world, o.steps)}
        tests |= {f"return_{leg}": Trial(o.world, o.steps, leg) for leg in legs}
        zeroed = {share: Trial(o.world, o.steps, share=share, at=o.zeroed_at) for share in o.zeroed}
        return tests | {f"return_zeroed_{round(100 * share)}": trial for share, trial in zeroed.items()}

    def _members(self, ctx: Context, evolution: Evolution, generation: int, trial: Trial) -> Iterator[Job]:
        """An episode for each member of a generation, in pieces whose size does not depend on the workers."""
        o, mean, sigma = self.options, evolution.mean, evolution.sigma(generation)
        perturbations, chunk = evolution.key(generation), WORLDS[o.world].chunk
        for first in range(0, o.population, chunk):
            draws = key(ctx.seed, ctx.stage, "episodes", generation, trial.body, first)
            count = min(chunk, o.population - first)
            yield Job(trial, o.plastic, o.reach, o.penalty, mean, sigma, perturbations, first, count, draws)

    def _mean(self, ctx: Context, mean: Array, trial: Trial) -> Iterator[Job]:
        """The test's episodes: in every trial the same starts, up to what is damaged."""
        o, chunk = self.options, WORLDS[self.options.world].chunk
        for first in range(0, o.episodes, chunk):
            draws = key(ctx.seed, ctx.stage, "test", first)
            yield Job(
                trial, o.plastic, o.reach, 0.0, mean, 0.0, 0, first, min(chunk, o.episodes - first), draws
            )

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"population": 2, "generations": 1, "episodes": 2, "steps": 8, "zeroed_at": 4}
        return options.model_copy(update=small)


def draw(ctx: Context, curve: list[dict[str, float]], returns: dict[str, Array]) -> None:
    """`evolution.svg`, the fitness over the generations, and `returns.svg`, how the tests' returns are spread."""
    generations = [row["step"] for row in curve]
    fitness = {name: (generations, [row[name] for row in curve]) for name in ("fitness", "best")}
    plot(ctx.picture("evolution.svg"), fitness, "generation", "fitness of the population (mean, best)")
    stairs = {name: above(r) for name, r in returns.items()}
    plot(ctx.picture("returns.svg"), stairs, "return", "share of episodes above it")


def above(returns: Array) -> Curve:
    """The share of the returns (n,) that is above x, from 1 down to 0, as the corners of its stairs."""
    falls, n = np.sort(returns).repeat(2), len(returns)
    shares = (1 - np.arange(n + 1) / n).repeat(2)
    return [min(0.0, falls[0]), *falls.tolist()], shares[:-1].tolist()
