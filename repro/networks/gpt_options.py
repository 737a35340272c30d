"""Options of the GPT decoder."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from repro.options import NetworkOptions, PositiveInt, Probability


class GPTOptions(NetworkOptions):
    """The size of the decoder. GPT-3 Small is 768, 12 and Medium 1024, 24 (Table 2.1)."""

    width: PositiveInt
    """Features of each token, d_model."""
    layers: PositiveInt
    """Blocks of attention and perceptron, n_layers."""
    head_width: PositiveInt = 64
    """Features of an attention head, d_head; there are as many heads as share the width."""
    band: PositiveInt | None = None
    """Every second layer sees only so many of the last tokens, itself among them (default: all see all)."""
    dropout: Probability = 0.0
    """Share that is dropped of the embeddings and of what each layer adds."""

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.width // self.head_width

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.head_width:
            raise ValueError(f"a width of {self.width} is no multiple of a `head_width` of {self.head_width}")
        return self
