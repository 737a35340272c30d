"""Options of ClusterNS."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat

from repro.methods.text.simcse_options import SimCSEOptions
from repro.options import PositiveInt, Probability


class ClusterNSOptions(SimCSEOptions):
    """ClusterNS with BERT-base and no prompt, as in djz233/ClusterNS."""

    clusters: PositiveInt = 128
    """K, the number of centroids; a batch must have as many sentences."""
    rate: Probability = 1e-3
    """γ, the centroids' step towards their sentences (`kmeans_lr`)."""
    start_cosine: Annotated[float, Field(ge=-1, le=1)] = 0.4
    """The clusters begin when the batch's mean cosine has fallen to this (`kmean_cosine`)."""
    margin_weight: NonNegativeFloat = 1e-3
    """μ, the weight of the bidirectional margin loss (`bml_weight`)."""
    alpha: float = 0.0
    """α: false negatives are to be at least this much below the positive (`bml_alpha`)."""
    beta: float = 0.3
    """β: and at most this much below it (`bml_beta`)."""
