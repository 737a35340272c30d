"""Episodes of members of a population, as jobs for worker processes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from repro.experiments.energy_or_hebbian.evolution.strategy import Array, members
from repro.experiments.energy_or_hebbian.hebbian.networks import Network, Plastic
from repro.experiments.energy_or_hebbian.hebbian.worlds import WORLDS, World


@dataclass(frozen=True)
class Trial:
    """A world for at most `steps`, and what is wrong: its `body`, or the share of weights set to 0 at step `at`."""

    world: str
    steps: int = 1000
    body: str = "intact"
    share: float = 0.0
    at: int = 0


@dataclass(frozen=True)
class Job:
    """One episode for each of `count` members, from `first` on, of a generation; with σ = 0, of the mean itself.

    `key` names all draws of the episodes, `perturbations` those of the generation.
    """

    trial: Trial
    plastic: bool
    reach: float
    penalty: float
    mean: Array
    sigma: float
    perturbations: int
    first: int
    count: int
    key: int


def fitness(job: Job) -> Array:
    """The episodes' returns (count,), less `penalty` times the mean square of the rules (static: of all weights)."""
    kind, random = WORLDS[job.trial.world], np.random.default_rng(job.key)
    people = members(job.mean, job.sigma, job.perturbations, job.first, job.count)
    network = Plastic(kind.form, people, job.reach, random) if job.plastic else Network(kind.form, people)
    with closing(kind(job.count, job.trial.body)) as world:
        returns = episode(world, network, job.trial, random)
    evolved = people[:, kind.form.fixed :] if job.plastic else people
    return returns - job.penalty * np.square(evolved).mean(1)


def episode(world: World, network: Network, trial: Trial, random: np.random.Generator) -> Array:
    """The return of each copy of the world, (size,) float64, until all are over or the trial's steps are done."""
    observations = world.reset(int(random.integers(2**31)))
    returns, running = np.zeros(len(observations)), np.ones(len(observations), bool)
    for step in range(trial.steps):
        if trial.share and step == trial.at:
            network.damage(trial.share, random)
        observations, rewards, over = world.step(network(observations))
        returns += np.where(running, rewards, 0.0)
        running &= ~over
        if not running.any():
            break
        network.adapt()
    return returns
