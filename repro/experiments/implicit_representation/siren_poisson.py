"""An image from its derivatives alone: Sitzmann et al. 2020 (arXiv 2006.09661), section 4.1.

The experiment of the authors' explore_siren.ipynb ("Solving Poisson's equation") and of their scripts
train_poisson_grad_img.py and train_poisson_lapl_img.py.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy import ndimage
from torch import Tensor, nn

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.implicit_representation.coordinate_fit import CHUNK, contenders, train
from repro.experiments.implicit_representation.siren_fit import draw, grid, psnr, resized
from repro.experiments.implicit_representation.siren_poisson_options import SirenPoissonOptions
from repro.networks import derivatives

LEGIBLE = 128  # pixels


class SirenPoisson(Stage):
    """Fits the derivatives of networks to those of the first image of the data set, never its pixels.

    The image is resized as in `siren_fit`, and `amplify` multiplies it. `supervise` is its `gradient` (Sobel's
    filters) or its `laplacian` (the five-point stencil), as they come out per pixel, while the networks'
    derivatives are those in coordinates; so the network learns the image times a known factor (see `factor`),
    and the gradient leaves a constant open, the Laplacian a harmonic function.

    Metrics: `<network>_psnr` in dB, of the image, its mean set right; `<network>_field_psnr`, of the derivatives,
    whose peak is their range; `spectral_psnr`, of the image that the derivatives give in closed form (see
    `integrated`). Pictures of both: `images.png`, `fields.png`.
    """

    Options = SirenPoissonOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        image = resized(ctx.data("train").images[0], o.side).mean(0).to(ctx.device)
        xy, field = grid(o.side).to(ctx.device), o.amplify * filtered(image, o.supervise)
        nets = contenders(ctx, o, 2, 1, o.side)
        fields = nn.ModuleDict({name: Derivative(net, o.supervise) for name, net in nets.items()})
        loop = train(ctx, o, fields, xy, field.flatten(1).T.contiguous())
        scale = o.amplify * factor(o.side, o.supervise)
        with torch.no_grad():
            learnt = {name: net(xy).view(image.shape) / scale for name, net in nets.items()}
        learnt["spectral"] = integrated(field / o.amplify, o.supervise)
        images = {name: (fit - fit.mean() + image.mean())[None] for name, fit in learnt.items()}
        slopes = {
            name: torch.cat([net(some).detach() for some in xy.split(CHUNK)]).T.view(field.shape)
            for name, net in fields.items()
        }
        found = {name: psnr(fit, image[None]) for name, fit in images.items()}
        field_found = {name: range_psnr(fit, field) for name, fit in slopes.items()}
        if ctx.setup.main:
            shown = {name: legible(fit) for name, fit in images.items()}
            draw(legible(image[None]), shown, found, ctx.picture("images.png"))
            lengths = {name: legible(grey(fit, field)) for name, fit in slopes.items()}
            draw(legible(grey(field, field)), lengths, field_found, ctx.picture("fields.png"))
        metrics = {f"{name}_psnr": value for name, value in found.items()}
        metrics |= {f"{name}_field_psnr": value for name, value in field_found.items()}
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"side": 16, "steps": 2, "width": 16})


class Derivative(nn.Module):
    """x (n, 2) -> the gradient (n, 2) or the Laplacian (n, 1) of `net`, which has one output."""

    def __init__(self, net: nn.Module, kind: str):
        super().__init__()
        self.net = net
        self.of = derivatives.gradient if kind == "gradient" else derivatives.laplacian

    def forward(self, x: Tensor) -> Tensor:
        return self.of(self.net, x)


def filtered(image: Tensor, kind: str) -> Tensor:
    """image (side, side) -> Sobel's filters along rows and columns (2, side, side), or the stencil (1, …)."""
    pixels = image.cpu().numpy()
    filters = (
        [ndimage.sobel(pixels, axis) for axis in (0, 1)] if kind == "gradient" else [ndimage.laplace(pixels)]
    )
    return torch.stack([torch.from_numpy(f) for f in filters]).to(image)


def factor(side: int, kind: str) -> float:
    """What the image is multiplied by when filters per pixel pass for derivatives in coordinates on [−1, 1].

    Sobel's filters are 8 times the slope per pixel, and a pixel is 2 / (side − 1) wide.
    """
    width = 2 / (side - 1)
    return 8 * width if kind == "gradient" else width**2


def integrated(field: Tensor, kind: str) -> Tensor:
    """The image (side, side) of mean 0 whose band-limited derivatives are nearest to the field (k, side, side).

    Mirrored at the borders, as the filters see it, and solved frequency by frequency. What the filters blur stays so.
    """
    side = field.shape[-1]
    whole = field.double()
    for axis in (0, 1):
        sign = torch.ones(len(field), 1, 1, dtype=torch.float64, device=field.device)
        if kind == "gradient":  # a slope changes its sign in the mirror that it points at
            sign[axis] = -1
        whole = torch.cat([whole, sign * whole.flip(axis + 1)], dim=axis + 1)
    omega = 2 * math.pi * torch.fft.fftfreq(2 * side, dtype=torch.float64, device=field.device)
    square = omega[:, None] ** 2 + omega**2
    square[0, 0] = math.inf
    waves = torch.fft.fft2(whole)
    if kind == "gradient":
        image = -1j * (omega[:, None] * waves[0] + omega * waves[1]) / (8 * square)
    else:
        image = -waves[0] / square
    return torch.fft.ifft2(image).real[:side, :side].to(field)


def range_psnr(fit: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, the peak being the target's range."""
    mse = (fit - target).square().mean().item()
    return 20 * math.log10((target.max() - target.min()).item()) - 10 * math.log10(mse or 1e-300)


def grey(fit: Tensor, target: Tensor) -> Tensor:
    """Lengths of derivatives (k, side, side) as an image (1, side, side), −1 for 0, 1 for the target's largest."""
    return (2 * fit.norm(dim=0) / target.norm(dim=0).max() - 1)[None]


def legible(image: Tensor) -> Tensor:
    """image (1, side, side) with every pixel repeated until the sides reach LEGIBLE, so that captions fit above."""
    times = -(-LEGIBLE // image.shape[-1])
    return image.repeat_interleave(times, -1).repeat_interleave(times, -2)
