"""Options of the backbone `network_deconvolution`."""

from __future__ import annotations

from repro.options import NetworkOptions, PositiveFloat


class NetworkDeconvolutionOptions(NetworkOptions):
    strength: PositiveFloat = 1.0
    """α of λ / (1 + α λ)."""
