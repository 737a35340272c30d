"""Networks from a recipe, and trained ones from an earlier stage."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from repro import components
from repro.data.table import Table
from repro.engine import checkpoint
from repro.engine.stage import Context
from repro.networks.layout import channels_last
from repro.options import HeadOptions, NetworkOptions


class Network(NamedTuple):
    """An encoder (images -> features, attribute `dim`) and the head on it (the identity when there is none)."""

    encoder: nn.Module
    head: nn.Module


def build(options: NetworkOptions, shape: tuple[int, ...], classes: int) -> Network:
    """The network with freshly drawn weights (from torch's generator), for images of `shape` (C, H, W)."""
    encoder = components.load(("networks",), options.backbone)(options, shape)
    if options.head is None:
        return Network(encoder, Bare(encoder.dim))
    return Network(encoder, build_head(options.head, encoder.dim, classes))


def build_head(options: HeadOptions, dim: int, classes: int = 0) -> Any:
    """The head (attribute `dim`: what it gives) on `dim` features; also for the predictors of methods."""
    return components.load(("networks.heads",), options.kind)(options, dim, classes)


def shape_of(made_for: Any, data: Table) -> tuple[tuple[int, ...], int]:
    """Shape of a sample and number of classes that a stage's network was made for: its own data's, if it says so."""
    return tuple(made_for.get("shape", data.shape)), made_for.get("classes", data.classes)


def composite(network: Network) -> Composite:
    """Both parts of the network as one module."""
    return Composite(*network)


class Composite(nn.Module):
    """An encoder with the head on it."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head
        self.dim: Any = getattr(head, "dim", None)

    def forward(self, x: Tensor) -> Tensor:
        """x (n, …) -> head(encoder(x)) (n, dim)."""
        result: Tensor = self.head(self.encoder(x))
        return result


def alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether both have the same tensors in name and shape."""
    first, second = ({n: t.shape for n, t in m.state_dict().items()} for m in (one, other))
    return first == second


class Bare(nn.Identity):
    """No head: the features themselves."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim


def untrained(options: Any, shape: tuple[int, ...], classes: int) -> Network:
    """The network of a `train` stage's options, for images of `shape` (C, H, W), with freshly drawn weights."""
    return build(options.network, options.views.shape(shape), classes)


def trained(ctx: Context, stage: str, data: Table) -> Network:
    """The network that an earlier `train` stage left, frozen and in eval mode, on the run's device."""
    tensors, made_for = checkpoint.load(ctx.of(stage) / "output.safetensors")
    network = untrained(ctx.recipe.stages[stage], *shape_of(made_for, data))
    for name, module in network._asdict().items():
        checkpoint.unpack({name: module}, tensors, {})
        channels_last(module.eval().requires_grad_(False).to(ctx.device))
        meet(module, data)
    return network


def meet(network: nn.Module, data: Table) -> None:
    """Tells the parts of the network that ask for it (`meet(table)`) what belongs to the data set as a whole."""
    for module in network.modules():
        asks: Any = getattr(module, "meet", None)
        if asks is not None:
            asks(data)
