"""Fitting a clip of sound: Sitzmann et al. 2020 (arXiv 2006.09661), supplement on audio signals.

The experiment of the authors' train_audio.py.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from repro.data.audio import clip
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.implicit_representation.coordinate_fit import contenders, train
from repro.experiments.implicit_representation.siren_audio_options import SirenAudioOptions
from repro.pictures import plot

BLOCKS = 100  # of the picture of errors
WINDOW = 0.02  # seconds of the waveform that are drawn


class SirenAudio(Stage):
    """Fits the amplitude of a clip at every sample with a SIREN and, alike, with the networks it is held `against`.

    The whole clip spans [−span, span] in time; the largest amplitude is 1. With `samples`, only the loudest of the
    stretches of that length is fitted, at the same distances in time and around 0.

    Metrics: `<network>_mse`; `silence_mse`, the mean square of the clip, the error of a network that gives 0;
    `siren_snr` = 10 log10(silence / SIREN) in dB. Pictures: `waveform.svg`, some periods in the middle;
    `error.svg`, the errors over time.
    """

    Options = SirenAudioOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        whole, rate, deviations = clip(o.clip)
        ctx.note(deviations)
        signal = (loudest(whole, o.samples) if o.samples else whole).to(ctx.device)
        time = times(len(signal), len(whole), o.span).to(ctx.device)
        nets = contenders(ctx, o, 1, 1, len(whole))
        loop = train(ctx, o, nets, time, signal[:, None])
        with torch.no_grad():
            fits = {name: torch.cat([net(t) for t in time.split(2**14)])[:, 0] for name, net in nets.items()}
        errors = {name: fit - signal for name, fit in fits.items()}
        metrics = {f"{name}_mse": error.square().mean().item() for name, error in errors.items()}
        metrics["silence_mse"] = signal.square().mean().item()
        metrics["siren_snr"] = 10 * math.log10(metrics["silence_mse"] / metrics["siren_mse"])
        if ctx.setup.main:
            draw(ctx, signal, fits, rate)
        return Outcome(metrics, loop.curve, {**loop.facts, "samples": len(signal), "rate": rate})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"clip": "synthetic", "samples": 256, "steps": 2, "width": 16})


def loudest(signal: Tensor, samples: int) -> Tensor:
    """The stretch (samples,) with the largest mean square among those that follow one another from the start."""
    samples = min(samples, len(signal))
    stretches = signal[: len(signal) // samples * samples].view(-1, samples)
    return stretches[stretches.square().mean(1).argmax()]


def times(samples: int, whole: int, span: float) -> Tensor:
    """Coordinates (samples, 1) around 0, as far apart as those of a clip of `whole` samples on [−span, span]."""
    steps = torch.arange(samples, dtype=torch.float64) - (samples - 1) / 2
    return (steps * 2 * span / (whole - 1)).float()[:, None]


def draw(ctx: Context, signal: Tensor, fits: dict[str, Tensor], rate: int) -> None:
    """The waveform beside its fits for WINDOW seconds in the middle, and the errors of the whole, block by block."""
    shown = min(len(signal), int(WINDOW * rate))
    first = (len(signal) - shown) // 2
    milliseconds = [1000 * (first + i) / rate for i in range(shown)]
    curves = {"clip": signal, **fits}
    waves = {name: (milliseconds, y[first : first + shown].tolist()) for name, y in curves.items()}
    plot(ctx.picture("waveform.svg"), waves, "time in ms", "amplitude")
    size = max(1, len(signal) // BLOCKS)
    seconds = [(i + 0.5) * size / rate for i in range(len(signal) // size)]
    traces = {"clip itself": signal, **{f"error of {name}": fit - signal for name, fit in fits.items()}}
    levels = {
        name: (seconds, y[: len(seconds) * size].view(-1, size).square().mean(1).sqrt().tolist())
        for name, y in traces.items()
    }
    plot(ctx.picture("error.svg"), levels, "time in s", "root mean square", log="y")
