"""Options of the method `gdn`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Probability


class GDNOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)

    margin: Probability = 0.25
    """The score that a pair without an edge may have, and by which the score of an edge may fall short of 1."""
