"""Options of the stage `initial`."""

from __future__ import annotations

from repro.options import BackboneSpec, Collection, StageOptions, Views, ViewsSpec


class InitialOptions(StageOptions):
    network: BackboneSpec
    """What is drawn: a backbone, and a head on it."""
    views: ViewsSpec = Views()
    """How later stages resize and normalise images for it."""

    @property
    def leaves(self) -> Collection[str]:
        return ("network", "classifier") if self.network.classifies else ("network",)

    @property
    def splits(self) -> Collection[str]:
        return ("train",)
