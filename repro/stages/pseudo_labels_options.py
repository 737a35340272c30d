"""Options of the stage `pseudo_labels`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import PositiveInt, Probability, Ref
from repro.options.choosing import ChoosingOptions


class PseudoLabelsOptions(ChoosingOptions):
    leaves: ClassVar[tuple[str, ...]] = ("index", "labels")
    metrics: ClassVar[tuple[str, ...]] = ("rows", "confidence")

    of: Annotated[str, Ref("classifier")]
    """The stage whose classifier labels."""
    threshold: Probability = 0.0
    """The least confidence, a probability, with which a sample is labelled."""
    per_class: PositiveInt | None = None
    """The most samples that are labelled as of one class, the most confident ones (default: all)."""
