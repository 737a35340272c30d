"""Najarro and Risi 2020: evolution strategies, Hebbian networks, the simulated worlds, and damage."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.nn import functional as F

from repro.engine.budget import Deadline, Stopped
from repro.engine.stage import Outcome
from repro.errors import UserError
from repro.experiments.energy_or_hebbian.evolution import strategy
from repro.experiments.energy_or_hebbian.evolution.evolve import Evolution
from repro.experiments.energy_or_hebbian.hebbian import networks, worlds
from repro.experiments.energy_or_hebbian.hebbian.episodes import Job, Trial, episode, fitness
from repro.experiments.energy_or_hebbian.hebbian.networks import Form, Network, Plastic
from repro.experiments.energy_or_hebbian.hebbian_control import HebbianControl, above
from repro.options import Optimizer
from tests.test_engine import context

SMALL = Form(inputs=3, outputs=2)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Evolution strategies


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_ranks_are_scipy_s_made_standard(values: list[int]) -> None:
    expected = stats.rankdata(values) - (len(values) + 1) / 2
    assert strategy.centred_ranks(np.array(values)) == pytest.approx(expected / (expected.std() or 1))


def test_members_mirror_each_other_and_come_in_any_pieces() -> None:
    mean = rng().normal(size=7).astype(np.float32)
    whole = strategy.members(mean, 0.1, key=5, first=0, count=6)
    pieces = [strategy.members(mean, 0.1, 5, first, count) for first, count in ((0, 1), (1, 3), (4, 2))]
    assert np.array_equal(whole, np.concatenate(pieces))
    assert (whole[::2] + whole[1::2]) / 2 == pytest.approx(np.tile(mean, (3, 1)), abs=1e-6)
    assert len(np.unique(np.abs(whole - mean)[::2], axis=0)) == 3


def test_a_step_is_the_sum_over_all_members(tmp_path: Path) -> None:
    o = SimpleNamespace(sigma=0.2, sigma_decay=0.5, sigma_floor=0.15, lr_decay=0.5, lr_floor=0.1)
    o.optimizer = Optimizer(name="sgd", lr=0.4)
    mean = rng().normal(size=5).astype(np.float32)
    evolution = Evolution(context(tmp_path), o, mean.copy())
    for generation, (sigma, lr) in enumerate([(0.2, 0.4), (0.15, 0.2), (0.15, 0.1), (0.15, 0.1)]):
        people = strategy.members(mean, sigma, evolution.key(generation), 0, 8)
        ranks = stats.zscore(stats.rankdata(people[:, 0]))
        mean = mean + lr / (8 * sigma) * sum(
            r * (p - mean) / sigma for r, p in zip(ranks, people, strict=True)
        )
        evolution.update(generation, people[:, 0])
        assert evolution.mean == pytest.approx(mean, abs=1e-5)


def test_the_mean_climbs_to_the_top(tmp_path: Path) -> None:
    o = SimpleNamespace(sigma=0.1, sigma_decay=0.99, sigma_floor=0.01, lr_decay=0.98, lr_floor=0.001)
    o.optimizer = Optimizer(name="adam", lr=0.1)
    evolution, top = Evolution(context(tmp_path), o, np.zeros(4, np.float32)), np.array([1.0, -0.5, 0.3, 0.0])
    for generation in range(120):
        sigma, key = evolution.sigma(generation), evolution.key(generation)
        people = strategy.members(evolution.mean, sigma, key, 0, 40)
        evolution.update(generation, -np.square(people - top).sum(1))
    assert evolution.mean == pytest.approx(top, abs=0.05)


# Networks


def slow_step(weights: list[Any], rules: Any, x: Any, form: Form) -> tuple[Any, list[Any]]:
    """One forward pass and one update of one network, synapse by synapse; rules (5, synapses) are A, B, C, D, η."""
    seen, synapse, after = [x], 0, []
    for layer, w in enumerate(weights):
        y = np.array([sum(w[j, i] * seen[-1][i] for i in range(w.shape[1])) for j in range(w.shape[0])])
        seen.append(np.tanh(y) if layer < 2 or form.bounded else y)
    for w, before, behind in zip(weights, seen, seen[1:], strict=False):
        new = w.copy()
        for j in range(w.shape[0]):
            for i in range(w.shape[1]):
                a, b, c, d, eta = rules[:, synapse]
                new[j, i] += eta * (a * before[i] * behind[j] + b * before[i] + c * behind[j] + d)
                synapse += 1
        after.append(new / np.abs(new).max() if form.normalised else new)
    return seen[-1], after


@pytest.mark.parametrize(("bounded", "normalised"), [(False, True), (True, False)])
def test_plastic_networks_change_synapse_by_synapse(
    bounded: bool, normalised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "HIDDEN", (5, 4))
    form = Form(3, 2, bounded, normalised)
    parameters = np.stack([networks.start(form, True, rng(seed)) for seed in (1, 2)])
    net = Plastic(form, parameters, 0.1, rng(3))
    weights = [[w[n].copy() for w in net.weights] for n in (0, 1)]
    assert max(np.abs(w).max() for w in net.weights) <= 0.1
    for step in range(3):
        x = rng(step).normal(size=(2, 3)).astype(np.float32)
        outputs = net(x)
        net.adapt()
        for n in (0, 1):
            expected, weights[n] = slow_step(weights[n], parameters[n].reshape(5, -1), x[n], form)
            assert outputs[n] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            for new, w in zip(net.weights, weights[n], strict=True):
                assert new[n] == pytest.approx(w, rel=1e-3, abs=1e-4)


def test_the_sizes_are_the_paper_s() -> None:
    car, ant = worlds.CarRacing.form, worlds.Ant.form
    assert networks.start(car, True, rng()).size == 1362 + 5 * (648 * 128 + 128 * 64 + 64 * 3)  # over 450,000
    assert networks.start(ant, False, rng()).size == 27 * 128 + 128 * 64 + 64 * 8


def test_static_networks_are_torch_s_layers() -> None:
    form, parameters = worlds.CarRacing.form, networks.start(worlds.CarRacing.form, False, rng())
    image = rng(1).random((1, 3, 84, 84), dtype=np.float32)
    flat, shapes = torch.from_numpy(parameters), (*form.convolutions, *form.layers)
    sizes = [int(np.prod(shape)) for shape in shapes]
    one, two, *dense = [part.reshape(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
    x = F.max_pool2d(torch.tanh(F.conv2d(torch.from_numpy(image), one)), 2)
    x = F.max_pool2d(torch.tanh(F.conv2d(x, two, stride=2)), 2).flatten(1)
    expected = torch.tanh(torch.tanh(x @ dense[0].T) @ dense[1].T) @ dense[2].T
    net = Network(form, parameters[None])
    assert net(image) == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)
    net.adapt()
    assert net(image) == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)


def test_damage_sets_a_share_of_the_weights_to_zero_and_plastic_ones_grow_again() -> None:
    parameters = np.stack([networks.start(SMALL, True, rng(seed)) for seed in range(2)])
    net = Plastic(SMALL, parameters, 0.1, rng())
    net.damage(0.3, rng(1))
    zeros = np.concatenate([(w == 0).ravel() for w in net.weights])
    assert zeros.mean() == pytest.approx(0.3, abs=0.02)
    net.damage(1.0, rng(2))
    assert all((w == 0).all() for w in net.weights)
    net(np.ones((2, 3)))
    net.adapt()
    assert all((w != 0).mean() > 0.99 for w in net.weights)


def test_images_are_reduced_by_areas() -> None:
    """96 · 7 = 84 · 8: repeat each pixel 7 times and average 8 at a time."""
    row = rng().random(96)
    assert worlds.shrinking(96, 84) @ row == pytest.approx(np.repeat(row, 7).reshape(84, 8).mean(1), rel=1e-5)


# Worlds


def test_many_poles_fall_as_one_by_one() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    form, one = worlds.CartPole.form, gymnasium.make("CartPole-v1")
    parameters = np.stack([8 * networks.start(form, False, rng(seed)) for seed in range(6)])
    world = worlds.CartPole(6, "intact")
    starts: list[Any] = []
    world.reset = lambda seed: starts.append(type(world).reset(world, seed)) or starts[0]  # type: ignore
    together = episode(world, Network(form, parameters), Trial("cartpole", steps=60), rng(9))
    for n in range(6):
        net, total = Network(form, parameters[n : n + 1]), 0.0
        one.reset()
        one.unwrapped.state = observation = starts[0][n].astype(float)
        for _ in range(60):
            observation, reward, fallen, *_ = one.step(int(net(observation[None]).argmax()))
            total += float(reward)
            if fallen:
                break
        assert together[n] == total
    assert len(set(together)) > 1


def test_a_cut_static_network_lets_the_pole_fall_at_once() -> None:
    pytest.importorskip("gymnasium")
    mean = networks.start(worlds.CartPole.form, False, rng())
    trial = Trial("cartpole", share=1.0, at=2)
    job = Job(trial, False, 0.1, 0.0, mean, 0.0, 0, first=0, count=25, key=4)
    assert fitness(job).max() <= 2 + 12


@pytest.mark.parametrize("leg", ["right", "left"])
def test_a_damaged_quadruped_has_one_short_leg(leg: str) -> None:
    pytest.importorskip("mujoco")
    intact, damaged = (worlds.quadruped(body).unwrapped.model for body in ("intact", leg))
    shorter = damaged.geom_size[:, 1] / np.where(intact.geom_size[:, 1], intact.geom_size[:, 1], 1)
    changed = [intact.geom(i).name for i in np.flatnonzero(damaged.geom_size[:, 1] != intact.geom_size[:, 1])]
    assert changed == [f"{leg}_ankle_geom"]
    assert shorter[intact.geom(changed[0]).id] == pytest.approx(worlds.STUMP)
    assert damaged.body_mass.sum() < intact.body_mass.sum()


@pytest.mark.parametrize(("world", "package"), [("carracing", "Box2D"), ("ant", "mujoco")])
def test_an_episode_depends_on_its_key_alone(world: str, package: str) -> None:
    pytest.importorskip(package)
    mean = networks.start(worlds.WORLDS[world].form, True, rng())
    jobs = [Job(Trial(world, 12), True, 0.1, 0.01, mean, 0.1, 7, 0, 1, key) for key in (1, 2, 1)]
    first, other, again = (fitness(job)[0] for job in jobs)
    assert first == again and (first != other or world == "carracing")
    assert np.isfinite(first)


def test_a_missing_simulator_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(
        UserError, match=r"CartPole-v1 needs gymnasium.*pip install 'repro-recipes\[control\]'"
    ):
        worlds.CartPole(1, "intact")


# The experiment


def evolve(folder: Path, **changes: Any) -> Outcome:
    pytest.importorskip("gymnasium")
    ctx = context(folder, picture=lambda name: folder / name, **changes.pop("context", {}))
    ctx.folder.mkdir(parents=True, exist_ok=True)
    small = {
        "population": 100,
        "generations": 2,
        "steps": 12,
        "episodes": 30,
        "zeroed": [1.0],
        "zeroed_at": 6,
    }
    options = HebbianControl.Options.model_validate(
        {"kind": "hebbian_control", "world": "cartpole"} | small | changes
    )
    return HebbianControl(options).run(ctx)


def test_the_number_of_workers_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = []
    for workers in ("0", "2"):
        monkeypatch.setenv("REPRO_WORKERS", workers)
        outcomes.append(evolve(tmp_path / workers, population=200))
    assert outcomes[0].metrics == outcomes[1].metrics and outcomes[0].curve == outcomes[1].curve


def test_an_evolution_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    adam = {"name": "adam", "lr": 0.1}
    whole = evolve(tmp_path / "whole", population=20, generations=4, optimizer=adam)
    for _ in range(3):
        with pytest.raises(Stopped):
            evolve(
                tmp_path / "stopped",
                population=20,
                generations=4,
                optimizer=adam,
                context={"deadline": Deadline(0.0)},
            )
    outcome = evolve(tmp_path / "stopped", population=20, generations=4, optimizer=adam)
    assert outcome.metrics == whole.metrics and outcome.curve == whole.curve


def test_rules_learn_to_balance(tmp_path: Path) -> None:
    """From a lifetime of about ten steps to the whole of it, for plastic and for static networks."""
    for plastic in (True, False):
        curve = evolve(tmp_path / str(plastic), plastic=plastic, generations=8, steps=60, episodes=2).curve
        first, last = curve[0]["fitness"], curve[-1]["fitness"]
        assert last > 1.5 * first


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_stairs_are_the_shares_above(returns: list[int]) -> None:
    xs, ys = above(np.array(returns, float))
    for x in np.arange(0.5, 6):
        height = [y for left, right, y in zip(xs, xs[1:], ys[1:], strict=False) if left <= x < right]
        assert height or x > max(returns)
        assert all(y == pytest.approx(np.mean(np.array(returns) > x)) for y in height)


def test_the_quadruped_is_tested_on_a_leg_it_never_lost() -> None:
    stage = HebbianControl(HebbianControl.Options(kind="hebbian_control", world="ant"))
    assert [trial.body for trial in stage._training()] == ["intact", "right"]
    assert {name: trial.body for name, trial in stage._tests().items()} == {
        "return": "intact",
        "return_right": "right",
        "return_left": "left",
    }
