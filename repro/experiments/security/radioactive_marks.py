"""Marking images, so that what is trained on them can be told: Sablayrolles et al. 2020 (arXiv 2002.00937).

As in the authors' make_data_radioactive.py, for batches of images.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from repro import pictures
from repro.data.images import ImageSet
from repro.data.slices.base import balanced
from repro.engine import checkpoint, optim
from repro.engine.features import frozen
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.security.radioactive import directions
from repro.experiments.security.radioactive_marks_options import RadioactiveMarksOptions
from repro.keys import generator, key
from repro.networks.build import trained
from repro.views.augment import Augment, plain
from repro.views.draws import Draws

ROUNDED = 10  # steps between two roundings to whole levels
SHOWN = 12  # images in the picture


class RadioactiveMarks(Stage):
    """Moves the features of a share of each class's training images along the carrier of the class, by their pixels.

    φ is the frozen network of the stage `of`, u the carrier. From x̃ = x, `steps` steps on
    −(φ(F x̃) − φ(x))·u + `feature_weight` |φ(F x̃) − φ(x)| + `image_weight` |x̃ − x|², summed over the images, with
    pixels normalised as for the network and a random view F of `views` at each step; x̃ stays within `radius`
    levels (of 255) of x and is rounded to whole levels at every tenth step and at the end.

    Leaves `marks.safetensors`: `images` (n, C, H, W) uint8, `index` (n,) in the training split, `carriers` (K, d).
    Metrics, means over the images: `psnr` in dB; `shift`, (φ(x̃) − φ(x))·u, and `alignment`, that over |φ(x̃) − φ(x)|,
    without augmentation. The picture `marks.png` shows images, marked ones, and ten times the difference.
    """

    Options = RadioactiveMarksOptions

    def run(self, ctx: Context) -> Outcome:
        o, data = self.options, ctx.data("train")
        encoder: Any = trained(ctx, o.of, data).encoder
        carriers = directions(
            data.classes, encoder.dim, generator(key(ctx.seed, ctx.stage, "carriers"))
        ).float()
        index = balanced(data.labels, o.percent / 100, key(ctx.seed, ctx.stage, "rows"))
        kept = Marks(data.images[index])
        groups = torch.arange(len(index)).split(o.batch)
        loop = Loop(ctx, len(groups), {"marks": kept}, o.batch)
        with frozen(encoder):
            for step in loop:
                some = groups[step]
                towards = carriers[data.labels[index[some]]].to(ctx.device)
                found, facts = self._marked(ctx, encoder, data, index[some], towards)
                kept.images[some] = found.cpu()
                loop.log(images=len(some), **facts)
        images = data.images[index]
        if ctx.setup.main:
            made = {"images": kept.images, "index": index, "carriers": carriers}
            checkpoint.save(ctx.folder / "marks.safetensors", made, {})
            draw(images[:SHOWN], kept.images[:SHOWN], ctx.picture("marks.png"))
        means = {
            name: sum(point[name] * point["images"] for point in loop.curve) / len(index)
            for name in ("shift", "alignment")
        }
        return Outcome({"psnr": psnr(kept.images, images).mean().item(), **means}, loop.curve, loop.facts)

    def _marked(
        self, ctx: Context, encoder: nn.Module, data: ImageSet, index: Tensor, u: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The marked images (n, C, H, W) uint8 of these rows, u (n, d); and the means of `shift` and `alignment`."""
        o, images = self.options, data.images[index].to(ctx.device)
        view = Augment(o.views, data.shape[-1], data.mean, data.std).views[0]
        std = torch.tensor(view.std, device=ctx.device)[:, None, None]
        clean, rows = images.float() / 255, index.to(ctx.device)

        def features(pixels: Tensor) -> Tensor:
            with ctx.setup.autocast():
                return encoder(pixels).float()

        def rounded(change: Tensor) -> Tensor:
            return (255 * (clean + change * std)).round().clamp(0, 255)

        start = features(plain(images, view.mean, view.std, view.size))
        change = torch.zeros_like(clean, requires_grad=True)
        optimizer = optim.build(o.optimizer, [change])
        bound = o.radius / 255 / std
        for step in range(o.steps):
            moved = (
                features(view(clean + change * std, Draws(key(ctx.seed, ctx.stage, step), 0, rows))) - start
            )
            loss = o.feature_weight * moved.norm(dim=1).sum() - (moved * u).sum()
            loss = loss + o.image_weight * change.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                change.copy_(change.clamp(-bound, bound))
                if step % ROUNDED == 0:
                    change.copy_((rounded(change) / 255 - clean) / std)
        marked = rounded(change.detach()).to(torch.uint8)
        moved = features(plain(marked, view.mean, view.std, view.size)) - start
        along = (moved * u).sum(1)
        aligned = along / moved.norm(dim=1).clamp(min=1e-12)
        return marked, {"shift": along.mean().item(), "alignment": aligned.mean().item()}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 2, "batch": min(options.batch, 4)})


class Marks(nn.Module):
    """The images (n, C, H, W) uint8, of which more and more are marked, as a part of the loop's checkpoint."""

    def __init__(self, images: Tensor):
        super().__init__()
        self.images = nn.Buffer(images.clone())


def psnr(marked: Tensor, images: Tensor) -> Tensor:
    """Of each image (n, C, H, W) uint8, in dB: 10 log10(255² / MSE), the MSE at least one level in one value."""
    mse = (marked.double() - images.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(255**2 / mse.clamp(min=1 / images[0].numel()))


@pictures.optional
def draw(images: Tensor, marked: Tensor, path: Path) -> None:
    """Writes images (n, C, H, W) uint8, marked ones and ten times their difference around grey, in rows, as PNG."""
    difference = (128 + 10 * (marked.int() - images.int())).clamp(0, 255).to(torch.uint8)
    rows = torch.stack([images, marked, difference]).expand(-1, -1, 3, -1, -1)
    pictures.tiles(path, rows.numpy(), scale=math.ceil(64 / images.shape[-1]))
