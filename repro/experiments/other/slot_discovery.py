"""Unsupervised object discovery by Slot Attention: Locatello et al. 2020 (arXiv 2006.15055), sections 3.1 and 4.1."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ImageColor
from torch import Tensor

from repro import pictures
from repro.engine.batches import Batches
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.other.slot_discovery_options import SlotDiscoveryOptions
from repro.experiments.other.tetrominoes import Scenes, scenes
from repro.keys import generator, key
from repro.networks.slot_attention import Decomposition, SlotAttention, SlotAutoencoder
from repro.pictures import COLOURS

LOGGED = 50  # points of the curve in a whole run
SHOWN = 6  # scenes in the picture


class SlotDiscovery(Stage):
    """Trains the autoencoder on generated scenes of three tetrominoes (see `scenes`) by the squared error, with Adam.

    Pixels are in [−1, 1]. The rate rises linearly over `warmup` steps and, from the first step on, halves smoothly
    every `half_life`, as in the authors' code. The `test_scenes` are drawn apart from the `scenes` of the training.

    Metrics, on the test scenes: `ari`, the adjusted Rand index, in percent, of the slot with the largest mask against
    the block, over the pixels of the blocks alone; `colour_ari`, of the true colour against the block, which is
    what one reaches without telling blocks of one colour apart; `mse`; `asymmetry`, see there, in float64.
    The picture `slots.png` shows scenes, their reconstructions and segments, and each slot's part.
    """

    Options = SlotDiscoveryOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        train, test = (
            scenes(key(ctx.seed, ctx.stage, split), n, o.side, o.cell)
            for split, n in (("train", o.scenes), ("test", o.test_scenes))
        )
        images = train.images.to(ctx.device)
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        model = SlotAutoencoder(o.side, o.width, o.kernel, o.size, o.iterations).to(ctx.device)
        optimizer = torch.optim.Adam(model.parameters(), o.lr)
        batches = Batches(
            len(images), o.batch, math.ceil(o.steps * o.batch / len(images)) + 1, True, ctx.seed
        )
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, o.batch)
        for step in loop:
            for group in optimizer.param_groups:
                group["lr"] = o.lr * min(1, step / o.warmup) * 0.5 ** (step / o.half_life)
            batch = signed(images[batches[step].to(ctx.device)])
            noise = torch.randn(o.batch, o.slots, o.size).to(ctx.device)
            loss = (model(batch, noise).image - batch).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % max(1, o.steps // LOGGED) == 0:
                few = Scenes(*(part[:64] for part in test))
                loop.log(
                    loss=loss, ari=foreground_ari(few.blocks, segments(self._decomposed(ctx, model, few)))
                )
        found = self._decomposed(ctx, model, test)
        metrics = {
            "ari": foreground_ari(test.blocks, segments(found)),
            "colour_ari": foreground_ari(test.blocks, coloured(test)),
            "mse": (found.image - signed(test.images)).square().mean().item(),
            "asymmetry": self._asymmetry(ctx, model, test),
        }
        if ctx.setup.main:
            draw(test.images, found, ctx.picture("slots.png"))
        return Outcome(metrics, loop.curve, loop.facts)

    @torch.no_grad()
    def _decomposed(self, ctx: Context, model: SlotAutoencoder, some: Scenes) -> Decomposition:
        """What the network makes of the scenes, on the CPU; the slots' starts depend on the seed alone."""
        o, random = self.options, generator(key(ctx.seed, ctx.stage, "starts"))
        parts = []
        for images in some.images.split(o.batch):
            noise = torch.randn(len(images), o.slots, o.size, generator=random)
            parts.append([part.cpu() for part in model(signed(images.to(ctx.device)), noise.to(ctx.device))])
        return Decomposition(*map(torch.cat, zip(*parts, strict=True)))

    @torch.no_grad()
    def _asymmetry(self, ctx: Context, model: SlotAutoencoder, test: Scenes) -> float:
        """`asymmetry` on the inputs of a few scenes."""
        o, random = self.options, generator(key(ctx.seed, ctx.stage, "permutations"))
        inputs = model.encode(signed(test.images[:8].to(ctx.device))).cpu().double()
        noise = torch.randn(len(inputs), o.slots, o.size, generator=random, dtype=torch.float64)
        return asymmetry(deepcopy(model.attention).cpu().double(), inputs, noise, random)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"steps": 2, "scenes": 8, "test_scenes": 4, "batch": 2, "width": 8, "size": 8}
        return options.model_copy(update=small)


def signed(images: Tensor) -> Tensor:
    """uint8 -> float32 in [−1, 1]."""
    return images.float() / 127.5 - 1


def segments(found: Decomposition) -> Tensor:
    """The slot (n, S, S) with the largest share of each pixel."""
    return found.masks[:, :, 0].argmax(1)


def coloured(some: Scenes) -> Tensor:
    """The number (n, S, S) of each pixel's colour; that of the background's pixels is of no meaning."""
    return some.colours.gather(1, (some.blocks.flatten(1).long() - 1).clamp(min=0)).view(some.blocks.shape)


def foreground_ari(truth: Tensor, found: Tensor) -> float:
    """truth (n, S, S), 0 for the background, found (n, S, S) -> adjusted Rand index, percent, mean over scenes."""
    from sklearn.metrics import adjusted_rand_score  # takes a second to import

    pairs = ((t[t > 0], f[t > 0]) for t, f in zip(truth.numpy(), found.numpy(), strict=True))
    return 100 * float(np.mean([adjusted_rand_score(t, f) for t, f in pairs]))


def asymmetry(attention: SlotAttention, inputs: Tensor, noise: Tensor, random: torch.Generator) -> float:
    """The largest |SA(π inputs, ρ starts) − ρ SA(inputs, starts)| for random π and ρ (Proposition 1)."""
    pi, rho = (torch.randperm(x.shape[1], generator=random) for x in (inputs, noise))
    return (attention(inputs[:, pi], noise[:, rho]) - attention(inputs, noise)[:, rho]).abs().max().item()


@pictures.optional
def draw(images: Tensor, found: Decomposition, path: Path) -> None:
    """Writes scenes in rows, as PNG: image, reconstruction, segments, then the share and picture of each slot."""
    palette = torch.tensor([ImageColor.getrgb(colour) for colour in COLOURS], dtype=torch.float32) / 127.5 - 1
    coloured = palette[segments(found)].movedim(-1, 1)
    parts = (found.pictures + 1) * found.masks - 1  # what a slot does not have is black
    tiles = torch.cat([torch.stack([signed(images), found.image, coloured], 1), parts], 1)[:SHOWN]
    framed = torch.nn.functional.pad(tiles.clamp(-1, 1), (1, 1, 1, 1), value=1.0)
    pixels = ((framed + 1) * 127.5).round().to(torch.uint8)
    pictures.tiles(path, pixels.numpy(), scale=max(1, 80 // framed.shape[-1]))
