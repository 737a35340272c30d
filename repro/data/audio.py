"""The two audio clips of Sitzmann et al. 2020 (SIREN), which the authors keep beside their code, and a stand-in."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.io import wavfile
from torch import Tensor

from repro.errors import UserError
from repro.files import file_digest
from repro.paths import from_home
from repro.recipes.schema import Deviation

SOURCE = "github.com/vsitzmann/siren, folder data"
CLIPS = {
    "bach": "023940a1bcc534349e16ff46f360ffbfffa993842961dbed955c168fd2f38190",
    "counting": "5becf4851addadb660da353e0e6ea6fd653d4d71e5ea1ce1f6973b556ad397ad",
}
RATE = 44100


class Clip(NamedTuple):
    """A mono signal (n,) whose largest value is ±1, its rate in Hz, and what differs from the paper's clip."""

    signal: Tensor
    rate: int
    deviations: tuple[Deviation, ...] = ()


def clip(name: str) -> Clip:
    """`bach` or `counting` from `$REPRO_DATA/siren_audio/gt_<name>.wav`, or `synthetic`.

    When the file is not there the synthetic clip takes its place, with a deviation that disqualifies.
    Raises UserError for a file that is not the authors'.
    """
    if name == "synthetic":
        return Clip(plucked(), RATE)
    path = from_home(os.environ.get("REPRO_DATA", "")) / "siren_audio" / f"gt_{name}.wav"
    if not path.is_file():
        return Clip(plucked(), RATE, (_missing(path),))
    if file_digest(path) != CLIPS[name]:
        raise UserError(
            f"{path} is not the authors' file: replace it by the one from {SOURCE}, or remove it."
        )
    rate, samples = wavfile.read(path)
    signal = torch.from_numpy(samples.astype("float32"))
    return Clip(signal / signal.abs().max(), rate)


def plucked(seconds: float = 7.0) -> Tensor:
    """Four plucked notes a second, up and down a chord: eight harmonics each, the higher the sooner they fade."""
    t = torch.arange(int(seconds * RATE), dtype=torch.float64) / RATE
    chord, harmonics = (98.0, 146.8, 246.9, 220.0), torch.arange(1, 9)[:, None]
    since = t % 0.25
    pitch = torch.tensor(chord, dtype=torch.float64)[(t / 0.25).long() % len(chord)]
    partials = (2 * math.pi * harmonics * pitch * since).sin() * (-4 * harmonics * since).exp() / harmonics
    signal = partials.sum(0)
    return (signal / signal.abs().max()).float()


def _missing(path: Path) -> Deviation:
    return Deviation(
        what="Audio clip",
        paper=f"{path.name} (from {SOURCE})",
        here="a synthesised clip of plucked notes, 7 s",
        why="the file is not in $REPRO_DATA/siren_audio",
        disqualifies=True,
    )
