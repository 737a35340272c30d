"""Runs of `fit` in float64 on a small network that has all that could depend on the division of a batch."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.multiprocessing as mp
from accelerate import Accelerator
from torch import Tensor, nn

from repro.data.images import ImageSet, image_set
from repro.engine.budget import Deadline, Stopped
from repro.engine.draws import Draws
from repro.engine.fit import fit
from repro.engine.loop import Loop
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.engine.stage import Context
from repro.keys import generator
from repro.methods.contrastive.moco import MoCo
from repro.methods.contrastive.simclr import SimCLR
from repro.options import Batch, Optimizer, Schedule, TrainingOptions, Views

SAMPLES, BATCH, EPOCHS = 38, 16, 3  # the last batch of an epoch has 6


class Encoder(nn.Module):
    """images -> (n, 8): convolution, BatchNorm, dropout of channels, attention with dropout, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
        self.channels, self.last = nn.Dropout2d(0.2), nn.Dropout(0.3)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.dim = 8

    def forward(self, x: Tensor) -> Tensor:
        x = self.channels(self.norm(self.conv(x.to(self.conv.weight.dtype))).relu())
        return self.last(self.attention(x.flatten(2).transpose(1, 2)).mean(1))


class Head(nn.Sequential):
    dim = 6

    def __init__(self) -> None:
        super().__init__(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.AlphaDropout(0.1))


class Counting(SimCLR):
    """Its hooks leave traces: a step that is given up must not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.begun = nn.Buffer(torch.zeros(2, dtype=torch.float64))

    def before_step(self, step: int) -> None:
        self.begun += torch.tensor([1.0, step])

    def loss(self, z: Tensor) -> Tensor:
        return super().loss(z) * (1 + self.begun[0] / 100)


class Consistent(Method):
    """FixMatch's scheme on two streams, with draws in both functions and a number for each sample."""

    guarded = ()

    def embed(self, views: Tensor, unlabelled_views: Tensor, draws: Draws, step: int) -> dict[str, Tensor]:
        rows = torch.cat([views, unlabelled_views.flatten(1, 2)], 1)  # (n, 2 + 3 · 2, C, S, S)
        noisy = rows + 0.1 * draws.normal("noise", *rows.shape[1:]).to(rows.dtype)
        logits = self.project(noisy)
        weight = (1 + draws.uniform("weight").double()) * (1 + step / 10)
        return {"known": logits[:, :2], "weak": logits[:, 2::2], "strong": logits[:, 3::2], "weight": weight}

    def loss(
        self, known: Tensor, weak: Tensor, strong: Tensor, weight: Tensor, label: Tensor,
        unlabelled_index: Tensor, draws: Draws,
    ) -> dict[str, Tensor]:  # fmt: skip
        sure = weak.detach()[draws.permutation("mixed")].softmax(-1)
        drift = -(sure * strong.log_softmax(-1)).sum(-1) * (1 + unlabelled_index / 100)
        supervised = nn.functional.cross_entropy(known.flatten(0, 1), label.repeat_interleave(2))
        return {"loss": supervised + (weight[:, None] * drift).mean(), "supervised": supervised}


class Prototypes(Method):
    """Prototypical networks: a row is an episode of three classes with one support and two query samples each."""

    guarded = ()

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        return {"z": self.project(views.flatten(0, 3).unsqueeze(1)).view(*views.shape[:4], -1).mean(3)}

    def loss(self, z: Tensor, label: Tensor) -> Tensor:
        assert (label == label[:, :, :1]).all()
        distance = torch.cdist(z[:, :, 1:].flatten(1, 2), z[:, :, 0])  # (N, way · queries, way)
        own = torch.arange(3, device=z.device).repeat_interleave(2).expand(len(z), -1)
        return nn.functional.cross_entropy(-distance.flatten(0, 1), own.flatten())


METHODS: dict[str, Callable[[], tuple[type[Method], dict[str, Any]]]] = {
    "counting": lambda: (Counting, {"temperature": 0.5}),
    "moco": lambda: (MoCo, {"queue": 24, "symmetric": True, "shuffle": True}),
    "moco unshuffled": lambda: (MoCo, {"queue": 24, "symmetric": True}),
    "two streams": lambda: (Consistent, {}),
    "episodes": lambda: (Prototypes, {}),
}


def made(name: str) -> Method:
    torch.manual_seed(1)
    kind, options = METHODS[name]()
    return kind(kind.Options.model_validate({"name": name, **options}), Encoder(), Head()).double()


def images() -> ImageSet:
    pixels = torch.randint(0, 256, (SAMPLES, 3, 8, 8), dtype=torch.uint8, generator=generator(2))
    facts = {"name": "d", "split": "train", "classes": 3}
    return image_set(pixels, torch.arange(SAMPLES) % 3, mean=(0.5,) * 3, std=(0.25,) * 3, **facts)


class After(Deadline):
    """Says that it is time when it is asked for the `count`-th time."""

    def __init__(self, count: int):
        super().__init__()
        self.left = count

    def check(self, margin: float = 0.0) -> str | None:
        self.left -= 1
        return "time is up" if self.left <= 0 else None


def context(setup: Setup, folder: Path, deadline: Deadline | None = None) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    return Context(
        recipe=SimpleNamespace(id="r"),  # type: ignore[arg-type]
        stage="train",
        seed=3,
        setup=setup,
        folder=folder,
        load=lambda split: images(),
        deadline=deadline or Deadline(),
        checkpoint_every=1e9,
    )


EPISODES = {"name": "episodes", "way": 3, "shots": 1, "queries": 2}
OTHER: dict[str, dict[str, Any]] = {  # what is not one view of one sample after the other
    "two streams": {
        "streams": {"unlabelled": {"ratio": 3, "views": {"count": 2, "flip": 0.5, "pad_crop": 1}}}
    },
    "episodes": {"data": {"sampler": EPISODES}, "epochs": None, "steps": 9},
}


def options(span: int, apart: bool = True, name: str = "") -> Any:
    training: Any = {
        "batch": Batch(size=BATCH, bn_span=span, bn_views="apart" if apart else None),
        "optimizer": Optimizer(lr=0.05, momentum=0.9),
        "schedule": Schedule(name="cosine"),
        "epochs": EPOCHS,
        **OTHER.get(name, {}),
    }
    views = Views(count=2, flip=0.5, pad_crop=1)
    return SimpleNamespace(views=views, **dict(TrainingOptions(kind="train", **training)))


def train(
    setup: Setup, name: str, span: int, micro: int | None, folder: Path, stop: int | None = None
) -> tuple[list[dict[str, float]], Tensor] | str:
    """The curve and the final state, or why the run stopped, its last process being asked for the `stop`-th time."""
    method = made(name)
    if setup.rank:  # what the processes begin with is the main one's
        nn.init.ones_(method.encoder.conv.weight)  # type: ignore[union-attr, arg-type]
    deadline = After(stop) if stop is not None and setup.rank == setup.processes - 1 else None
    try:
        loop: Loop = fit(
            context(setup, folder, deadline),
            method,
            images(),
            options(span, name not in OTHER, name),
            micro,
        )
    except Stopped as reason:
        return str(reason)
    return loop.curve, torch.cat([t.double().flatten() for t in method.state_dict().values()])


def _work(rank: int, port: int, jobs: list[tuple], folder: str) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    torch.set_num_threads(1)
    setup = Setup(Accelerator(cpu=True), "fp32")
    torch.save([function(setup, *job) for function, *job in jobs], f"{folder}/rank{rank}.pt")
    torch.distributed.destroy_process_group()


def two_processes(jobs: list[tuple], folder: Path) -> list[tuple[Any, Any]]:
    """function(setup, *arguments) for each of the jobs (function, *arguments) on two processes: what both came to."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    mp.spawn(_work, (port, jobs, str(folder)), nprocs=2)
    first, second = (torch.load(folder / f"rank{r}.pt", weights_only=True) for r in (0, 1))
    return list(zip(first, second, strict=True))
