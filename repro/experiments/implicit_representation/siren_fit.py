"""Fitting an image with a coordinate network: Sitzmann et al. 2020 (arXiv 2006.09661), section 3.1.

The experiment of the authors' explore_siren.ipynb, with the comparison networks of their modules.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms import functional as pictures

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.implicit_representation.coordinate_fit import contenders, train
from repro.experiments.implicit_representation.siren_fit_options import SirenFitOptions
from repro.pictures import optional


class SirenFit(Stage):
    """Fits the first image of the data set with a SIREN and, alike, with the networks it is held `against`.

    The image is resized to `side` × `side` with PIL's bilinear filter; every step uses all its pixels, with
    values and coordinates in [−1, 1]. `relu_pe` is ReLU after positional encoding with as many octaves as the
    side can show.

    Metrics: `<network>_psnr` in dB (see `psnr`); `psnr_gap`, the SIREN's less the best other one's. The
    picture of the image beside each fit is `fits.png`.
    """

    Options = SirenFitOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        image = resized(ctx.data("train").images[0], o.side).to(ctx.device)
        xy, target = grid(o.side).to(ctx.device), image.flatten(1).T.contiguous()
        nets = contenders(ctx, o, 2, len(image), o.side)
        loop = train(ctx, o, nets, xy, target)
        with torch.no_grad():
            fits = {name: net(xy).T.reshape(image.shape) for name, net in nets.items()}
        measured = {name: psnr(fit, image) for name, fit in fits.items()}
        if ctx.setup.main:
            draw(image, fits, measured, ctx.picture("fits.png"))
        gap = measured["siren"] - max(measured[name] for name in o.against)
        metrics = {f"{name}_psnr": value for name, value in measured.items()}
        return Outcome({**metrics, "psnr_gap": gap}, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"side": 16, "steps": 2, "width": 16})


def resized(image: Tensor, side: int) -> Tensor:
    """image (C, H, W) uint8 -> (C, side, side) float32 in [−1, 1], as torchvision's Resize does with PIL."""
    small = pictures.resize(pictures.to_pil_image(image.cpu()), [side, side])
    return pictures.pil_to_tensor(small).float() / 127.5 - 1


def grid(side: int) -> Tensor:
    """Row and column of every pixel, row by row, as coordinates (side², 2) in [−1, 1], corners included."""
    ticks = torch.linspace(-1, 1, side)
    return torch.cartesian_prod(ticks, ticks)


def psnr(fit: Tensor, image: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(2² / MSE): both images in [−1, 1], so that the peak is 2.

    The fit is clipped to that range first, as in the authors' code.
    """
    mse = (fit.clamp(-1, 1) - image).square().mean().item()
    return 10 * math.log10(4 / mse) if mse else math.inf


@optional
def draw(image: Tensor, fits: Mapping[str, Tensor], measured: Mapping[str, float], path: Path) -> Path:
    """Writes the image (C, side, side) in [−1, 1] and the fits side by side, each under its name, as PNG."""
    captions = ["original", *(f"{name} {measured[name]:.1f} dB" for name in fits)]
    height, side = 16, image.shape[-1]
    canvas = Image.new("RGB", (len(captions) * side, side + height), "white")
    pen = ImageDraw.Draw(canvas)
    for column, (caption, values) in enumerate(zip(captions, [image, *fits.values()], strict=True)):
        pen.text((column * side + 4, 2), caption, fill="black")
        bytes_ = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        canvas.paste(pictures.to_pil_image(bytes_.cpu()), (column * side, height))
    canvas.save(path)
    return path
