"""Options of the text encoder."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from repro.options import NetworkOptions, PositiveInt, Probability


class TextTransformerOptions(NetworkOptions):
    """The size of the encoder, and how a sequence becomes one vector. BERT-base is 768, 12, 64."""

    width: PositiveInt = 128
    """Features of each token, and of the sequence."""
    layers: PositiveInt = 2
    """Blocks of attention and perceptron."""
    head_width: PositiveInt = 32
    """Features of an attention head; there are as many heads as share the width."""
    hidden: PositiveInt | None = None
    """Width of the perceptrons (default: four times `width`)."""
    dropout: Probability = 0.1
    """Share that is dropped: of embeddings, attention weights, and what each layer adds."""
    pool: Literal["mean", "first"] = "mean"
    """The sequence's features: the mean over its tokens, or those of its first token ([CLS])."""

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.width // self.head_width

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.head_width:
            raise ValueError(f"a width of {self.width} is no multiple of a `head_width` of {self.head_width}")
        return self
