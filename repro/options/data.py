"""Samplers, slices and measures as a recipe chooses them."""

from __future__ import annotations

from typing import Annotated

from pydantic import SerializeAsAny

from repro.options.base import Options


class SamplerOptions(Options):
    name: str


class SliceOptions(Options):
    name: str


SamplerSpec = Annotated[SerializeAsAny[SamplerOptions], None]
SliceSpec = Annotated[tuple[SerializeAsAny[SliceOptions], ...], None]
