"""Keyed dropout: its distribution is torch's, and its draws belong to the samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from repro.errors import UserError
from repro.keys import generator
from repro.networks.dropout import Masks, convert

CPU = torch.device("cpu")
KINDS = [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout]


def keyed(layer: nn.Module, key: int = 7, first: int = 0, samples: int = 1) -> tuple[nn.Module, Masks]:
    masks = convert(layer)
    masks.begin(key, first, samples, CPU)
    return layer, masks


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_at_the_rate_and_the_rest_is_scaled(p: float) -> None:
    layer, _ = keyed(nn.Dropout(p), samples=100)
    y = layer(torch.ones(100, 50, 40))
    dropped = (y == 0).double()
    assert y[y != 0].unique().tolist() == pytest.approx([1 / (1 - p)])
    spread = (p * (1 - p)) ** 0.5
    assert dropped.mean().item() == pytest.approx(p, abs=4 * spread / 200_000**0.5)
    for dims in ((1, 2), (0, 2), (0, 1)):  # no row, and no place in it, is dropped more often than others
        share = dropped.mean(dims)
        expected = spread / (dropped.numel() / len(share)) ** 0.5
        assert share.std().item() == pytest.approx(expected, rel=0.35)
    neighbours = (dropped[:, 1:] - p) * (dropped[:, :-1] - p)
    assert neighbours.mean().abs() < 4 * spread**2 / neighbours.numel() ** 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_the_moments_of_torch_and_drops_what_torch_drops(kind: type[nn.Module]) -> None:
    x = nn.functional.selu(torch.randn(400, 50, 4, 4, 1, generator=generator(1)))
    x = x[..., 0, 0] if kind is nn.Dropout1d else x[..., 0] if kind is nn.Dropout2d else x
    torch.manual_seed(0)
    theirs = kind(0.2)(x)
    layer, _ = keyed(kind(0.2), samples=len(x))
    ours = layer(x)
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), abs=0.03)
    assert ours.std().item() == pytest.approx(theirs.std().item(), abs=0.03)
    for y in (ours, theirs):  # one value for all that is dropped, whole channels at a time
        values, counts = y.unique(return_counts=True)
        gone = y == values[counts.argmax()]
        by_channel = gone.flatten(2).double().mean(2)
        whole = kind not in (nn.Dropout, nn.AlphaDropout)
        assert gone.double().mean().item() == pytest.approx(0.2, abs=0.02)
        assert ((by_channel == 0) | (by_channel == 1)).all().item() == (whole or x.dim() == 2)
    assert values[counts.argmax()].item() == pytest.approx(ours.flatten().mode().values.item(), rel=1e-5)


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_depth_drops_rows_or_the_batch(mode: str) -> None:
    layer, masks = keyed(StochasticDepth(0.3, mode), samples=50)
    alive = []
    for key in range(100):
        masks.begin(key, 0, 50, CPU)
        y = layer(torch.ones(50, 3, 2, 2)).flatten(1)
        assert y.unique().tolist() in ([0.0], pytest.approx([1 / 0.7]), pytest.approx([0.0, 1 / 0.7]))
        assert torch.equal(y.amin(1), y.amax(1))
        assert mode == "row" or len(y.unique()) == 1
        alive.append((y > 0).double().mean().item())
    assert sum(alive) / 100 == pytest.approx(0.7, abs=0.15 if mode == "batch" else 0.03)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Dropout(0.2), nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True))


def test_a_sample_has_its_own_draws_in_any_chunk() -> None:
    net, masks = keyed(network(), samples=6)
    x = torch.randn(12, 5, 8, generator=generator(2))  # two views of each sample
    whole = net(x)
    masks.begin(7, 2, 3, CPU)
    assert torch.allclose(net(x[4:10]), whole[4:10], atol=1e-6)


def test_keys_calls_and_layers_draw_differently() -> None:
    net, masks = keyed(nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5)), samples=4)
    x = torch.ones(4, 100)
    first, again, other = net[0](x), net[0](x), net[1](x)
    masks.begin(7, 0, 4, CPU)
    assert torch.equal(net[0](x), first)
    masks.begin(8, 0, 4, CPU)
    for y in (again, other, net[0](x)):
        assert 0.35 < (y == first).double().mean() < 0.65
    net.eval()
    assert torch.equal(net(x), x)


def attention(p: float, **options: bool) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    return nn.MultiheadAttention(8, 2, dropout=p, batch_first=True, **options)


@pytest.mark.parametrize("mask", ["none", "boolean", "numbers", "each head", "padding"])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_without_a_drop_is_torchs(mask: str, bias: bool) -> None:
    x = torch.randn(3, 5, 8, generator=generator(3))
    masks = {
        "none": {},
        "boolean": {"attn_mask": torch.ones(5, 5).triu(1).bool()},
        "numbers": {"attn_mask": torch.randn(5, 5, generator=generator(4))},
        "each head": {"attn_mask": torch.randn(6, 5, 5, generator=generator(4))},
        "padding": {"key_padding_mask": torch.arange(5).expand(3, 5) > 3},
    }[mask]
    expected = attention(0.0, bias=bias)(x, x, x, **masks)
    layer, _ = keyed(attention(1e-9, bias=bias), samples=3)  # all is computed, nothing is dropped
    for theirs, ours in zip(expected, layer(x, x, x, **masks), strict=True):
        assert torch.allclose(theirs, ours, atol=1e-6)
    assert layer(x, x, x, need_weights=False)[1] is None


def test_attention_drops_weights_at_the_rate() -> None:
    layer, _ = keyed(attention(0.25), samples=50)
    x = torch.randn(50, 20, 8, generator=generator(3))
    weights = layer(x, x, x, average_attn_weights=False)[1]
    plain = attention(0.0)(x, x, x, average_attn_weights=False)[1]
    assert (weights == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.allclose(weights[weights > 0], (plain / 0.75)[weights > 0], rtol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(4, 4, 2, dropout=0.1),
        nn.RReLU(),
        nn.MultiheadAttention(8, 2, dropout=0.1),
        nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True, kdim=4),
        type("Own", (nn.Dropout,), {})(0.5),
    ],
)
def test_what_cannot_be_keyed_is_refused(layer: nn.Module) -> None:
    with pytest.raises(UserError, match=r"`0`.*dropout"):
        convert(nn.Sequential(layer))
    convert(nn.Sequential(nn.LSTM(4, 4, 2), nn.MultiheadAttention(8, 2)))


def test_rows_that_are_no_samples_are_refused() -> None:
    layer, _ = keyed(nn.Sequential(nn.Dropout(0.5)), samples=4)
    with pytest.raises(UserError, match="Dropout `0`: 7 rows do not belong to 4 samples"):
        layer(torch.ones(7, 3))


def test_gradients_pass_where_values_did() -> None:
    layer, _ = keyed(nn.Dropout(0.4), samples=8)
    x: Tensor = torch.ones(8, 30, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, y.detach())
