"""The simulated worlds, from gymnasium: CartPole-v1, CarRacing-v3, and the quadruped Ant-v5 with damaged legs.

A world holds `size` copies that run together: `reset(seed)` gives observations (size, …), `step(outputs)` the
next observations, rewards (size,) and which copies are over (size,). What a world does depends on its seed alone,
not on what the process has simulated before.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np

from repro.errors import UserError
from repro.experiments.energy_or_hebbian.hebbian.networks import Array, Form

Step = tuple[Array, Array, Array]
ANKLES = {"right": "right_ankle_geom", "left": "left_ankle_geom"}  # of the front legs
STUMP = 0.25  # of its length is left of a damaged leg, as in the authors' ant_asym_left.xml
SETTLING = 40  # steps in which the quadruped falls to the floor before the network acts


class World(ABC):
    """One kind of world; `chunk` copies are simulated together in a process."""

    form: ClassVar[Form]
    chunk: ClassVar[int] = 1
    env: Any

    @abstractmethod
    def __init__(self, size: int, body: str): ...

    @abstractmethod
    def reset(self, seed: int) -> Array: ...

    @abstractmethod
    def step(self, outputs: Array) -> Step: ...

    def close(self) -> None:
        """Frees what the simulator holds."""
        self.env.close()


class CartPole(World):
    """Balance a pole on a cart: 1 point a step, at most 500 steps. The greatest output is the action."""

    form = Form(inputs=4, outputs=2)
    chunk = 25

    def __init__(self, size: int, body: str):
        self.env = made("make_vec", "CartPole-v1", num_envs=size, vectorization_mode="vector_entry_point")

    def reset(self, seed: int) -> Array:
        return self.env.reset(seed=seed)[0]

    def step(self, outputs: Array) -> Step:
        observations, rewards, fallen, late, _ = self.env.step(outputs.argmax(1))
        return observations, rewards, fallen | late


class CarRacing(World):
    """Drive round a random track, seen from above: 1000 points for all its tiles, less 0.1 a step, in 1000 steps.

    The image is reduced to 84 × 84 in 0..1. Over when more than 20 rewards in a row are negative.
    """

    form = Form(inputs=None, outputs=3)
    patience = 20

    def __init__(self, size: int, body: str):
        self.env = made("make", "CarRacing-v3", disable_env_checker=True)

    def reset(self, seed: int) -> Array:
        self.idle = 0
        return self._view(self.env.reset(seed=seed)[0])

    def step(self, outputs: Array) -> Step:
        steer, gas, brake = outputs[0].astype(np.float64)
        action = np.array([np.tanh(steer), sigmoid(gas), sigmoid(brake)])
        image, reward, done, late, _ = self.env.step(action)
        self.idle = self.idle + 1 if reward < 0 else 0
        over = done or late or self.idle > self.patience
        return self._view(image), np.array([reward]), np.array([over])

    def close(self) -> None:
        self.env.unwrapped._destroy()  # else Box2D's bodies and their world keep each other, 0.1 MB an episode
        super().close()

    def _view(self, image: Array) -> Array:
        """(96, 96, 3) uint8 -> (1, 3, 84, 84), columns before rows as in the authors' code."""
        areas = shrinking(96, 84)
        rows = np.tensordot(areas, image / np.float32(255), (1, 0))
        return np.tensordot(areas, rows, (1, 1)).transpose(2, 0, 1)[None]


class Ant(World):
    """Walk: the reward is the distance forward over the length of a step, that is the velocity in m/s; 1000 steps.

    A `body` of `right` or `left` has a front leg shortened. From step 200 on, it is over when the quadruped
    has fallen or more than 30 rewards in a row are negative, as in the authors' code.
    """

    form = Form(inputs=27, outputs=8, bounded=True, normalised=False)
    spared, patience = 200, 30

    def __init__(self, size: int, body: str):
        self.env = quadruped(body)

    def reset(self, seed: int) -> Array:
        self.age = self.idle = 0
        self.env.reset(seed=seed)
        for _ in range(SETTLING):
            observation = self.env.step(np.zeros(self.form.outputs))[0]
        return observation[None]

    def step(self, outputs: Array) -> Step:
        observation, _, done, late, facts = self.env.step(outputs[0].astype(np.float64))
        reward, finite = facts["x_velocity"], bool(np.isfinite(observation).all())
        if self.age > self.spared:
            self.idle = self.idle + 1 if reward < 0 else 0
        over = late or not finite or (self.age > self.spared and (done or self.idle > self.patience))
        self.age += 1
        return observation[None], np.array([reward if finite else 0.0]), np.array([over])


WORLDS: dict[str, type[World]] = {"cartpole": CartPole, "carracing": CarRacing, "ant": Ant}


def made(how: str, name: str, **options: Any) -> Any:
    """gymnasium's environment. Raises UserError when gymnasium, or what it needs for this one, is missing."""
    lack = f"{name} needs gymnasium and its simulators; `pip install 'repro-recipes[control]'` gets them."
    try:
        import gymnasium
    except ImportError:
        raise UserError(lack) from None
    try:
        return getattr(gymnasium, how)(name, **options)
    except gymnasium.error.DependencyNotInstalled:
        raise UserError(lack) from None


@cache
def quadruped(body: str) -> Any:
    """Ant-v5 with 27 observations, intact or with the lower part of a front leg shortened. Kept: it starts slowly."""
    options: dict[str, Any] = {"include_cfrc_ext_in_observation": False, "disable_env_checker": True}
    intact = made("make", "Ant-v5", **options)
    if body == "intact":
        return intact
    tree = ElementTree.parse(intact.unwrapped.fullpath)
    leg = tree.find(f".//geom[@name='{ANKLES[body]}']")
    if leg is None:
        raise UserError(f"this version of gymnasium's Ant-v5 has no leg called `{ANKLES[body]}`")
    leg.set("fromto", " ".join(str(STUMP * float(x)) for x in leg.attrib["fromto"].split()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"ant_{body}.xml"
        tree.write(path)
        return made("make", "Ant-v5", xml_file=str(path), **options)


@cache
def shrinking(old: int, new: int) -> Array:
    """(new, old) float32: the share of each old pixel in each new one, in a row; resizing by areas."""
    edges = np.arange(new + 1) * old / new
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(old) + 1)
    return (np.clip(high - low, 0, None) * new / old).astype(np.float32)


def sigmoid(x: float) -> float:
    return (1 + np.tanh(x / 2)) / 2
