"""Reversible residual layers: Gomez et al. 2017; Kitaev et al. 2020 (arXiv 2001.04451), section 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Reversible(nn.Module):
    """y₁ = x₁ + F(x₂), y₂ = x₂ + G(y₁); F and G must give the same whenever they get the same."""

    def __init__(self, f: nn.Module, g: nn.Module):
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        y1 = x1 + self.f(x2)
        return y1, x2 + self.g(y1)

    def inverse(self, y1: Tensor, y2: Tensor) -> tuple[Tensor, Tensor]:
        x2 = y2 - self.g(y1)
        return y1 - self.f(x2), x2


def through(blocks: nn.ModuleList, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """One block after the other. Of all blocks only the last one's outputs are kept for the backward pass."""
    outputs: tuple[Tensor, Tensor] = _Through.apply(
        blocks, x1, x2, *(p for b in blocks for p in b.parameters())
    )
    return outputs


def back(blocks: nn.ModuleList, y1: Tensor, y2: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs of the first block from the outputs of the last."""
    block: Any
    for block in reversed(blocks):
        y1, y2 = block.inverse(y1, y2)
    return y1, y2


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, blocks: nn.ModuleList, x1: Tensor, x2: Tensor, *weights: Tensor) -> Any:
        for block in blocks:
            x1, x2 = block(x1, x2)
        ctx.blocks = blocks
        ctx.save_for_backward(x1, x2)
        return x1, x2

    @staticmethod
    def backward(ctx: Any, g1: Tensor, g2: Tensor) -> Any:  # type: ignore[override]
        """From the last block to the first: x₁, x₂ take the place of y₁, y₂, and their gradients that of theirs."""
        x1, x2 = ctx.saved_tensors
        gradients: list[Tensor] = []
        for block in reversed(ctx.blocks):
            change, into, of_g = pulled_back(block.g, x1, g2)
            x2, g1 = x2 - change, g1 + into
            change, into, of_f = pulled_back(block.f, x2, g1)
            x1, g2 = x1 - change, g2 + into
            gradients = [*of_f, *of_g, *gradients]
        return None, g1, g2, *gradients


def pulled_back(f: nn.Module, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """f(x), and the gradients into x and into f's parameters of what has `gradient` with respect to f(x)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = f(x)
        into, *own = torch.autograd.grad(y, [x, *f.parameters()], gradient)
    return y.detach(), into, own
