"""Dropout whose draws are keyed by the sample, so that the division of a batch does not show in them.

Whether an element is dropped is a hash of (seed, step, layer, call of the layer, row, element). A row belongs to a
sample by its place in the batch, wherever it is embedded; the views of a sample are rows that follow one another, or
come in calls of their own. One pass, chunks, several processes and a resumed run therefore drop the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from repro.errors import UserError
from repro.keys import key, uniform

ALPHA = -1.7580993408473766  # the limit of SELU towards −∞, Klambauer et al. 2017 (arXiv 1706.02515)


class Masks:
    """What the dropout layers of a network know of the rows that pass through them."""

    def __init__(self, layers: list[Any] | None = None):
        self.layers = layers or []
        self.samples = 1
        self.key = self.first = torch.zeros((), dtype=torch.int64)

    def begin(self, key: int, first: int, samples: int, device: torch.device) -> None:
        """Before a pass of `samples` samples, of which the first is number `first` of the batch.

        Key and place are tensors, so that compiled networks need not be compiled anew for their values.
        """
        if not self.layers:
            return
        self.samples = samples
        self.key, self.first = torch.tensor([key, first]).to(device, non_blocking=True).unbind()
        for layer in self.layers:
            layer.calls = 0


@torch.library.custom_op("repro::drawn", mutates_args=())
def drawn(key: Tensor, rows: Tensor, draws: int) -> Tensor:
    """key (), rows (n,) -> (n, draws) in [0, 1), see `keys.uniform`.

    An operation of its own, as torch's compiler does not multiply 64-bit integers modulo 2^64 on CPUs.
    """
    return uniform(key, rows, draws)


@drawn.register_fake
def _(key: Tensor, rows: Tensor, draws: int) -> Tensor:
    return torch.empty(len(rows), draws, device=rows.device)


class Keyed(nn.Module):
    """A layer that drops: it asks `masks` which rows pass through it. `number` is the hash of its `name`."""

    masks: Masks
    name: str
    number: int
    calls: int

    def kept(self, x: Tensor, p: float, share: tuple[int, ...], alike: bool = False) -> Tensor:
        """x (rows, …) -> factors (rows, *share) of its type, 1 with probability 1 − p and else 0.

        With `alike` all rows have the same.
        """
        each, rest = divmod(len(x), self.masks.samples)
        if rest:
            raise UserError(
                f"Dropout `{self.name}`: {len(x)} rows do not belong to {self.masks.samples} samples; "
                "the first dimension has to be that of the samples, or of their views."
            )
        rows = self.masks.first * each + torch.arange(len(x), device=x.device)
        self.calls += 1
        draws = drawn(
            self.masks.key ^ (self.number + self.calls), rows * (not alike), torch.Size(share).numel()
        )
        return (draws >= p).view(len(x), *share).to(x.dtype)


class KeyedDropout(Keyed):
    """Takes the place of torch's Dropout and AlphaDropout, of single elements or of whole channels."""

    p: float
    channels: bool
    alpha: bool

    def forward(self, x: Tensor) -> Tensor:
        """x (rows, …) -> the same shape: what is dropped becomes 0 (or SELU's limit), the rest is scaled."""
        if not self.training or self.p == 0:
            return x
        share = (x.shape[1], *[1] * (x.dim() - 2)) if self.channels else tuple(x.shape[1:])
        kept = self.kept(x, self.p, share)
        if not self.alpha:
            return x * scaled(kept, self.p)
        scale = ((1 - self.p) * (1 + self.p * ALPHA**2)) ** -0.5 if self.p < 1 else 0.0
        return scale * (x * kept + ALPHA * (1 - kept) - ALPHA * self.p)


class KeyedDepth(Keyed):
    """Takes the place of torchvision's StochasticDepth (Huang et al. 2016, arXiv 1603.09382)."""

    p: float
    mode: str

    def forward(self, x: Tensor) -> Tensor:
        """x (rows, …), the branch of a residual block -> the same, dropped by rows, or with `batch` as a whole."""
        if not self.training or self.p == 0:
            return x
        return x * scaled(self.kept(x, self.p, (1,) * (x.dim() - 1), alike=self.mode == "batch"), self.p)


class KeyedAttention(Keyed, nn.MultiheadAttention):
    """Takes the place of torch's MultiheadAttention while it drops weights; else it is that."""

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """query (n, L, d), key and value (n, S, d) -> (n, L, d), and the weights if they are needed."""
        facts = (key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
        if not self.training or not self.dropout:
            return nn.MultiheadAttention.forward(self, query, key, value, *facts)
        biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        q, k, v = (
            nn.functional.linear(x, w, b).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for x, w, b in zip((query, key, value), self.in_proj_weight.chunk(3), biases, strict=True)
        )
        scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
        if attn_mask is not None:  # (L, S) or (n · heads, L, S)
            scores = masked(
                scores, attn_mask.unflatten(0, scores.shape[:2]) if attn_mask.dim() == 3 else attn_mask
            )
        if key_padding_mask is not None:  # (n, S)
            scores = masked(scores, key_padding_mask[:, None, None])
        weights = scores.softmax(-1)
        weights = weights * scaled(self.kept(weights, self.dropout, tuple(weights.shape[1:])), self.dropout)
        y = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        return y, (weights.mean(1) if average_attn_weights else weights) if need_weights else None


def masked(scores: Tensor, mask: Tensor) -> Tensor:
    """scores with the masked ones at −∞ (true in a boolean mask), or the sum with a mask of numbers."""
    return scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


def scaled(kept: Tensor, p: float) -> Tensor:
    """Factors that keep the mean where a share p is dropped."""
    return kept / (1 - p) if p < 1 else kept


KINDS: dict[type, tuple[bool, bool]] = {  # of whole channels, for SELU
    nn.Dropout: (False, False),
    nn.Dropout1d: (True, False),
    nn.Dropout2d: (True, False),
    nn.Dropout3d: (True, False),
    nn.AlphaDropout: (False, True),
    nn.FeatureAlphaDropout: (True, True),
}


def convert(network: nn.Module) -> Masks:
    """Keys every layer that drops, in place, to the returned masks. Raises UserError for a kind that cannot be."""
    masks = Masks()
    for name, layer in network.named_modules():
        if type(layer) in KINDS:
            layer.channels, layer.alpha = KINDS[type(layer)]  # type: ignore[assignment]
            layer.__class__ = KeyedDropout
        elif type(layer) is StochasticDepth:
            layer.__class__ = KeyedDepth
        elif type(layer) is nn.MultiheadAttention and layer.dropout:
            _check_attention(name, layer)
            layer.__class__ = KeyedAttention
        elif not isinstance(layer, Keyed):
            _refuse(name, layer)
            continue
        keyed: Any = layer
        keyed.masks, keyed.name, keyed.number, keyed.calls = masks, name, key("dropout", name) >> 1, 0
        masks.layers.append(keyed)
    return masks


def _check_attention(name: str, layer: nn.MultiheadAttention) -> None:
    plain = layer._qkv_same_embed_dim and layer.bias_k is None and not layer.add_zero_attn
    if not plain or not layer.batch_first:
        raise UserError(
            f"Dropout of the attention weights in `{name}`: only with `batch_first=True`, one width for queries, "
            "keys and values, and no added keys; change that, or set its dropout to 0."
        )


def _refuse(name: str, layer: nn.Module) -> None:
    recurrent = isinstance(layer, nn.RNNBase) and layer.dropout
    if recurrent or isinstance(layer, (_DropoutNd, nn.RReLU)):
        raise UserError(
            f"`{name}` ({type(layer).__name__}) draws numbers that would depend on the division of a batch; "
            "set its dropout to 0, or use one of torch's own dropout layers beside it."
        )
