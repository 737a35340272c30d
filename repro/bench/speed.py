"""Speed as ratios, each measured in pairs within one run: `python -m repro.bench`, or `make bench`.

* `step`: the engine's step against a bare loop of the same forward, backward and update.
* `views`: views a second on the device against torchvision's PIL pipeline on one core.
* `precision`: a step in fp32 against one in bf16 with channels-last.
* `loop`: samples a second of the whole pipeline against the usual training loop: PIL augmentation in worker
  processes, fp32, the loss and the update of the reference, in a program of its own.

All with ResNet-18 (CIFAR stem) and SupCon on random CIFAR-like images. Ratios are of speeds: above 1 the engine is
the faster one. Machines are noisy: the median of the pairs is the figure, with its range.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, get_args

import click
import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from tabulate import tabulate
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from repro.data.images import ImageSet
from repro.data.load import look_alike
from repro.engine import optim
from repro.engine.method import Method
from repro.engine.plan import BatchPlan
from repro.engine.setup import Setup, set_up
from repro.engine.update import Updater, trainable
from repro.keys import key
from repro.methods.supervised.supcon import SupCon
from repro.networks.batchnorm import convert
from repro.networks.build import build
from repro.networks.resnet import ResNet
from repro.options import Optimizer
from repro.options.views import expand
from repro.recipes.schema import Precision
from repro.views.augment import Augment

VIEWS = expand({"policy": "simclr-cifar", "count": 2})
Work = Callable[[], object]


@dataclass
class Pair:
    """Two ways of doing the same, and how many samples (or views) each call does."""

    name: str
    ours: Work
    theirs: Work
    unit: str
    amount: int
    theirs_amount: int


def method(setup: Setup, data: ImageSet) -> Method:
    """SupCon on a ResNet-18 with the reference's head, the same weights each time."""
    torch.manual_seed(0)
    head = {"kind": "mlp", "hidden": 512, "out": 128}
    options = ResNet.Options.model_validate({"backbone": "resnet18", "stem": "cifar", "head": head})
    made = SupCon(SupCon.Options(name="supcon"), *build(options, data.shape, data.classes))
    return made.to(setup.device).train()


def stepper(setup: Setup, data: ImageSet, batch: int, views: Callable[[Tensor], dict[str, Tensor]]) -> Work:
    """The engine's step on one batch."""
    model: Any = method(setup, data)
    model = model.to(memory_format=torch.channels_last)
    optimizer = optim.build(Optimizer(lr=0.05, momentum=0.9), trainable(model))
    updater = Updater(setup, BatchPlan(batch, batch), model, optimizer, convert(model), seed=0)
    index = torch.arange(batch, device=setup.device)
    label = data.labels[:batch].to(setup.device)
    return lambda: updater.step(0, views(index), {"label": label, "index": index})


def bare(setup: Setup, data: ImageSet, views: Tensor, channels_last: bool = True) -> Work:
    """Forward, backward and update as anyone would write them."""
    model: Any = method(setup, data)
    model = model.to(memory_format=torch.channels_last) if channels_last else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    label = data.labels[: len(views)].to(setup.device)

    def step() -> None:
        with setup.autocast():
            z = model.embed(views)["z"]
        loss = model.loss(z.float(), label)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


class TwoViews(Dataset):
    """The reference's data: PIL images, two random views each, as tensors."""

    def __init__(self, images: np.ndarray, labels: Tensor, transform: Callable[[Image.Image], Tensor]):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        image = Image.fromarray(self.images[i])
        return torch.stack([self.transform(image), self.transform(image)]), self.labels[i]


def pil_pipeline(data: ImageSet) -> TwoViews:
    """torchvision's transforms for the same policy."""
    jitter = transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)
    crop = transforms.RandomResizedCrop(32, scale=(0.2, 1.0))
    steps = [crop, transforms.RandomHorizontalFlip(), jitter, transforms.RandomGrayscale(0.2)]
    transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(data.mean, data.std)])
    return TwoViews(data.images.permute(0, 2, 3, 1).numpy(), data.labels, transform)


def reference_loop(device: str, batch: int) -> Work:
    """One batch of the usual loop, in a process without the engine's settings of memory and precision."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_usual, args=(there, device, batch)).start()
    there.close()  # so that the process ends with this one
    here.recv()

    def step() -> None:
        here.send(None)
        here.recv()

    return step


def _usual(orders: Connection, device: str, batch: int) -> None:
    setup = Setup(Accelerator(cpu=device == "cpu"), "fp32")
    step = _usual_step(setup, look_alike("cifar10", "train", 4 * batch, key=0), batch)
    try:
        while True:
            orders.send(None)
            orders.recv()
            step()
            _wait(setup)
    except EOFError:
        pass


def _usual_step(setup: Setup, data: ImageSet, batch: int) -> Work:
    """Worker processes make the views, the network runs in fp32."""
    workers = os.cpu_count() or 1
    model: Any = method(setup, data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    endless = _endless(
        DataLoader(pil_pipeline(data), batch, shuffle=True, num_workers=workers, drop_last=True)
    )

    def step() -> None:
        views, label = (x.to(setup.device) for x in next(endless))
        loss = model.loss(model.embed(views)["z"], label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _endless(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def pairs(setup: Setup, batch: int) -> dict[str, Callable[[], Pair]]:
    """The comparisons by name; each is prepared when it is called."""
    data = look_alike("cifar10", "train", 4 * batch, key=0)
    index = torch.arange(batch, device=setup.device)
    augment = Augment(VIEWS, 32, data.mean, data.std)
    images = data.images[:batch].to(setup.device)

    def views(rows: Tensor) -> dict[str, Tensor]:
        return augment(images[rows], key("bench"), rows)

    def precision() -> Pair:
        fp32, bf16 = (Setup(setup.accelerator, p) for p in ("fp32", "bf16"))
        slow = bare(fp32, data, views(index)["views"], channels_last=False)
        return Pair(
            "bf16 against fp32", bare(bf16, data, views(index)["views"]), slow, "samples", batch, batch
        )

    def step() -> Pair:
        made = views(index)
        ours = stepper(setup, data, batch, lambda rows: made)
        return Pair(
            "engine's step against a bare one",
            ours,
            bare(setup, data, made["views"]),
            "samples",
            batch,
            batch,
        )

    def making() -> Pair:
        pil, some = pil_pipeline(data), min(batch, 64)
        slow = lambda: [pil[i] for i in range(some)]  # noqa: E731
        return Pair(
            "views on the device against PIL", lambda: views(index), slow, "views", 2 * batch, 2 * some
        )

    def loop() -> Pair:
        ours = stepper(setup, data, batch, views)
        return Pair(
            "training against the usual loop",
            ours,
            reference_loop(setup.device.type, batch),
            "samples",
            batch,
            batch,
        )

    return {"step": step, "views": making, "precision": precision, "loop": loop}


def measure(pair: Pair, setup: Setup, repeats: int) -> list[str]:
    """A row of the table: both speeds, the ratio's median and range, and the peak memory so far."""
    ratios, ours, theirs = [], [], []
    _timed(pair.ours, setup), _timed(pair.theirs, setup)  # warm up
    for _ in range(repeats):
        ours.append(pair.amount / _timed(pair.ours, setup))
        theirs.append(pair.theirs_amount / _timed(pair.theirs, setup))
        ratios.append(ours[-1] / theirs[-1])
    speeds = [f"{median(s):.0f} {pair.unit}/s" for s in (ours, theirs)]
    return [
        pair.name,
        *speeds,
        f"{median(ratios):.2f}×",
        f"{min(ratios):.2f}–{max(ratios):.2f}",
        _peak(setup),
    ]


def _timed(work: Work, setup: Setup) -> float:
    _wait(setup)
    began = time.perf_counter()
    work()
    _wait(setup)
    return time.perf_counter() - began


def _wait(setup: Setup) -> None:
    if setup.device.type == "cuda":
        torch.cuda.synchronize()


def _peak(setup: Setup) -> str:
    if setup.device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"


@click.command()
@click.argument("what", nargs=-1, type=click.Choice(["step", "views", "precision", "loop"]))
@click.option("--batch", default=256, show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(get_args(Precision)), default="auto", show_default=True)
def main(what: tuple[str, ...], batch: int, repeats: int, device: str, precision: str) -> None:
    """Measure the engine's speed against the usual ways, in pairs."""
    setup = set_up(device, precision)
    hardware = setup.hardware
    click.echo(
        f"{hardware['cpu']}, {hardware['threads']} threads, GPUs {hardware['gpus']}, {setup.precision}"
    )
    chosen = pairs(setup, batch)
    rows = [measure(chosen[name](), setup, repeats) for name in what or chosen]
    click.echo(tabulate(rows, ("", "ours", "theirs", "ratio", "range", "peak memory"), disable_numparse=True))


if __name__ == "__main__":
    main()
