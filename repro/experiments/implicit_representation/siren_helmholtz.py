"""A wave field as the solution of the Helmholtz equation: Sitzmann et al. 2020 (arXiv 2006.09661), section 4.3.

The experiment of the authors' train_helmholtz.py with uniform velocity; the perfectly matched layer as in their
loss_functions.py.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from scipy.special import hankel2
from torch import Tensor, nn

from repro.engine import optim
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.implicit_representation.coordinate_fit import CHUNK, LOGGED, contenders
from repro.experiments.implicit_representation.siren_fit import grid
from repro.experiments.implicit_representation.siren_helmholtz_options import SirenHelmholtzOptions
from repro.networks.derivatives import jets
from repro.pictures import new_figure, optional, save

LAYER = 0.5  # width of the absorbing layer on each side of [−1, 1]²
ABSORPTION = 5.0  # how steeply it absorbs
FAINT = 1e-5  # below this the source counts as zero
SIDE = 101  # of the grid on which the field is compared


class SirenHelmholtz(Stage):
    """Solves (∇² + k²) Φ = f, f a narrow Gaussian times 1 + i at the origin, by the residual at random points alone.

    The networks give Φ's real and imaginary part on [−1, 1]², whose margins of LAYER absorb what arrives. The loss is
    the authors': the sum of |residual| of both parts, times points / 1000 where there is a source. Each step draws
    `points` points, `source_points` of them in the disk of 5 standard deviations around the source.

    Metrics: `<network>_error`, ‖Φ − G‖ / ‖G‖ within the layer and outside the source, G the field of that source in
    free space (see `free_space`). Picture: `fields.png`, real parts.
    """

    Options = SirenHelmholtzOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        nets = contenders(ctx, o, 2, 2)
        optimizer = optim.build(o.optimizer, nets.parameters())
        loop = Loop(ctx, o.steps, {"nets": nets, "optimizer": optimizer}, o.points * len(nets))
        for step in loop:
            x = points(o).to(ctx.device)
            optimizer.zero_grad()
            losses = {name: self._backward(net, x) for name, net in nets.items()}
            optimizer.step()
            if step % max(1, o.steps // LOGGED) == 0 or step == o.steps - 1:
                loop.log(
                    loss=sum(losses.values()), **{f"{name}_loss": value for name, value in losses.items()}
                )
        x = LAYER * grid(SIDE)
        exact = free_space(x, o.wavenumber, o.variance)
        with torch.no_grad():
            fields = {
                n: torch.view_as_complex(net(x.to(ctx.device)).cpu().double()) for n, net in nets.items()
            }
        outside = x.norm(dim=1) > reach(o.variance)
        norm = exact[outside].norm()
        errors = {name: ((field - exact)[outside].norm() / norm).item() for name, field in fields.items()}
        if ctx.setup.main:
            shown = {f"{name}, error {errors[name]:.2f}": field for name, field in fields.items()}
            draw({"free space": torch.where(outside, exact, 0), **shown}, ctx.picture("fields.png"))
        return Outcome({f"{name}_error": error for name, error in errors.items()}, loop.curve, loop.facts)

    def _backward(self, net: nn.Module, x: Tensor) -> Tensor:
        """Adds the gradient of the loss at x (n, 2), a mean over the points, and returns the loss."""
        o, total = self.options, torch.zeros((), device=x.device)
        for some in x.split(CHUNK):
            source = gaussian(some, o.variance)
            wrong = residual(net, some, o.wavenumber) - (1 + 1j) * source
            weight = torch.where(source > 0, len(x) / 1000, 1.0)
            loss = (weight * (wrong.real.abs() + wrong.imag.abs())).sum() / len(x)
            loss.backward()
            total += loss.detach()
        return total

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"points": 64, "source_points": 8, "steps": 2, "width": 16})


def residual(net: nn.Module, x: Tensor, k: float) -> Tensor:
    """∂₁(e₂/e₁ ∂₁Φ) + ∂₂(e₁/e₂ ∂₂Φ) + e₁ e₂ k² Φ (n,) complex, at x (n, 2); without the layer (∇² + k²) Φ."""
    y, slope, bend = (torch.view_as_complex(part.contiguous()) for part in jets(net, x))
    (e1, e2), (d1, d2) = (part.unbind(-1) for part in stretch(x))
    along1 = e2 / e1 * (bend[0] - d1 / e1 * slope[0])
    along2 = e1 / e2 * (bend[1] - d2 / e2 * slope[1])
    return along1 + along2 + e1 * e2 * k**2 * y


def stretch(x: Tensor) -> tuple[Tensor, Tensor]:
    """e = 1 − i a (depth / LAYER)² of each coordinate (n, 2), depth being that in the layer, and its derivative."""
    depth = (x.abs() - (1 - LAYER)).clamp(min=0) / LAYER
    return 1 - 1j * ABSORPTION * depth**2, -2j * ABSORPTION * depth * x.sign() / LAYER


def points(o: Any) -> Tensor:
    """Points (n, 2), uniform on [−1, 1]² but for the last, which are in the source's disk; from torch's generator."""
    x = 2 * torch.rand(o.points, 2) - 1
    radius = 5 * o.variance**0.5 * torch.rand(o.source_points).sqrt()
    angle = 2 * math.pi * torch.rand(o.source_points)
    x[-o.source_points :] = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return x


def gaussian(x: Tensor, variance: float) -> Tensor:
    """The density (n,) of N(0, variance I) at x (n, 2), 0 where it is FAINT."""
    density = (-x.square().sum(1) / (2 * variance)).exp() / (2 * math.pi * variance)
    return torch.where(density < FAINT, 0.0, density)


def reach(variance: float) -> float:
    """The radius at which the source ends."""
    return math.sqrt(-2 * variance * math.log(2 * math.pi * variance * FAINT))


def free_space(x: Tensor, k: float, variance: float) -> Tensor:
    """The outgoing field (n,) of the source at x (n, 2), outside it: (1 + i) (i/4) H₀⁽²⁾(k r) e^(−k² variance / 2).

    (i/4) H₀⁽²⁾ is the field of a point, and a source that is symmetric about it radiates in proportion to its Fourier
    transform at k.
    """
    radius = x.double().norm(dim=1).clamp(min=1e-6).cpu()
    point = 0.25j * torch.from_numpy(hankel2(0, k * radius.numpy()))
    return (1 + 1j) * point * math.exp(-(k**2) * variance / 2)


@optional
def draw(fields: dict[str, Tensor], path: Path) -> Path:
    """Real parts of fields (SIDE²,) within the layer, on the scale of the first."""
    figure = new_figure(2.4 * len(fields), 2.7)
    most = next(iter(fields.values())).real.abs().max().item()
    for ax, (name, field) in zip(figure.subplots(1, len(fields)), fields.items(), strict=True):
        ax.imshow(field.real.view(SIDE, SIDE).numpy(), cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set_title(name, fontsize="small")
        ax.axis("off")
    return save(figure, path)
