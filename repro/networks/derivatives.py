"""Derivatives of a coordinate network with respect to the position, themselves differentiable for training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.networks.coordinate import PositionalEncoding, Sine


def gradient(net: nn.Module, x: Tensor) -> Tensor:
    """∂y/∂x (n, d) at x (n, d) of a network with one output, by autograd."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]


def jets(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, d) -> y (n, o), ∂y/∂xᵢ (d, n, o) and ∂²y/∂xᵢ² (d, n, o), in one forward pass.

    The chain rule: a linear layer maps all three alike, f(z) has the slope f'(z) z' and the bend f'(z) z'' +
    f''(z) z'². That is a third of the work of autograd's derivative of a derivative. `net` is made of sequences of
    linear layers, sines, tanh, ReLU and the positional encoding.
    """
    n, d = x.shape
    slope = torch.eye(d, dtype=x.dtype, device=x.device)[:, None].expand(d, n, d)
    jet = x, slope, torch.zeros_like(slope)
    for layer in (m for m in net.modules() if not isinstance(m, nn.Sequential)):
        jet = _through(layer, *jet)
    return jet


def laplacian(net: nn.Module, x: Tensor) -> Tensor:
    """Σᵢ ∂²y/∂xᵢ² (n, o) at x (n, d)."""
    return jets(net, x)[2].sum(0)


def _through(layer: nn.Module, z: Tensor, slope: Tensor, bend: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The jet behind one layer."""
    if isinstance(layer, PositionalEncoding):
        spread = torch.kron(torch.eye(z.shape[1], device=z.device), layer.omegas[:, None]).to(z.dtype)
        waves = _sine(*_linear(z, slope, bend, spread)), _cosine(*_linear(z, slope, bend, spread))
        parts = zip((z, slope, bend), *waves, strict=True)
        return tuple(torch.cat(part, dim=-1) for part in parts)  # type: ignore[return-value]
    if isinstance(layer, Sine):
        return _sine(*_linear(z, slope, bend, layer.omega * layer.weight, layer.omega * layer.bias))
    if isinstance(layer, nn.Linear):
        return _linear(z, slope, bend, layer.weight, layer.bias)
    if isinstance(layer, nn.Tanh):
        y = z.tanh()
        first = 1 - y * y
        return y, first * slope, first * bend - 2 * y * first * slope * slope
    if isinstance(layer, nn.ReLU):
        return z.relu(), (z > 0) * slope, (z > 0) * bend
    raise TypeError(f"the derivatives of {type(layer).__name__} are not known here")


def _linear(
    z: Tensor, slope: Tensor, bend: Tensor, weight: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    return F.linear(z, weight, bias), F.linear(slope, weight), F.linear(bend, weight)


def _sine(z: Tensor, slope: Tensor, bend: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    sin, cos = z.sin(), z.cos()
    return sin, cos * slope, cos * bend - sin * slope * slope


def _cosine(z: Tensor, slope: Tensor, bend: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    sin, cos = z.sin(), z.cos()
    return cos, -sin * slope, -sin * bend - cos * slope * slope
