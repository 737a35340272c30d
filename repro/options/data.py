"""Samplers, slices and measures: what they have in common, and the fields of a recipe that choose them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from repro import components
from repro.options.base import ComponentOptions
from repro.options.choose import chosen, schema


class SamplerOptions(ComponentOptions):
    """Options of a way to draw batches, chosen by `name`; a row is a `group` of samples, () a single one."""

    name: str
    """The sampler."""

    @property
    def group(self) -> tuple[int, ...]:
        return ()


class SliceOptions(ComponentOptions):
    """Options of a choice of rows, chosen by `name`; `main` is the option that `{name: value}` in a recipe gives."""

    main: ClassVar[str | None] = None

    name: str
    """The slice."""

    def rows(self, samples: int, classes: int) -> int:
        """About how many rows are left of so many of equally large classes, for the plan of a run."""
        return samples


class MeasureOptions(ComponentOptions):
    """Options of a measure, chosen by `name`: what it gives, and what it needs.

    It is given the `splits`, the evaluated one last. `part` is what it measures unless the recipe says otherwise: the
    features of the `encoder`, or what the `head` makes of them; where it `classifies`, these are logits of classes.
    `labelled` says whether it needs the label of every sample.
    """

    metrics: ClassVar[Any] = ()
    splits: ClassVar[Any] = ("test",)
    part: ClassVar[Any] = "encoder"
    classifies: ClassVar[Any] = False
    labelled: ClassVar[Any] = True

    name: str
    """The measure."""

    @property
    def others(self) -> tuple[Any, ...]:
        """Other data (`DataOptions`) that it needs beside the splits, and is given after those but the last."""
        return ()


def _slices(value: Any) -> Any:
    """`{per_class: 4}`, or a list of such and of `{name: per_class, count: 4}`, as a tuple of options."""
    if isinstance(value, Mapping) and "name" not in value:
        value = [{name: given} for name, given in value.items()]
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple):
        raise PydanticCustomError("no_slice", "Needs a slice, as `{per_class: 4}`, or a list of slices", {})
    return tuple(_slice(one) for one in entries)


def _slice(value: Any) -> Any:
    if not isinstance(value, Mapping) or "name" in value:
        return (
            value
            if isinstance(value, SliceOptions)
            else components.options_for(("data.slices",), "name", value)
        )
    if len(value) != 1:
        raise PydanticCustomError("no_slice", "Needs one slice in each entry of a list", {})
    ((name, given),) = value.items()
    if isinstance(given, Mapping):
        return components.options_for(("data.slices",), "name", {"name": name, **given})
    known = name in components.names(("data.slices",))
    main = getattr(components.find(("data.slices",), name), "main", None) if known else "count"
    if main is None:
        raise PydanticCustomError("no_slice", "Slice `{name}` needs a mapping of options", {"name": name})
    return components.options_for(("data.slices",), "name", {"name": name, main: given})


SamplerSpec = Annotated[
    SerializeAsAny[SamplerOptions], chosen(("data.samplers",), "name"), schema(("data.samplers",), "name")
]
SliceSpec = Annotated[tuple[SerializeAsAny[SliceOptions], ...], BeforeValidator(_slices)]
MeasureSpec = Annotated[
    SerializeAsAny[MeasureOptions], chosen(("measures",), "name"), schema(("measures",), "name")
]
