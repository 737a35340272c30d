"""Options that name earlier stages, wherever they stand among the options of a stage."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from repro.options.base import Options

Keys = tuple[str | int, ...]


@dataclass(frozen=True, init=False)
class Ref:
    """Marks an option that names an earlier stage, which must leave one of what is needed (`StageOptions.leaves`)."""

    needs: tuple[str, ...]

    def __init__(self, *needs: str):
        object.__setattr__(self, "needs", needs)


class MetricsRef:
    """Marks an option that names metrics of earlier stages, `<stage>.<metric>`, where `*` stands for any text."""


@dataclass(frozen=True)
class Reference:
    """What one option of a stage names, and where it stands in the stage."""

    keys: Keys
    mark: Ref | MetricsRef
    named: str

    def stages(self, names: Iterable[str]) -> list[str]:
        """Those of these stages that it names."""
        return fnmatch.filter(names, self.named.partition(".")[0])


def references(options: Options) -> Iterator[Reference]:
    """All options that are marked so, also within other options, lists and mappings, if they name something."""
    for name, mark in _marks(type(options)).items():
        yield from _within(getattr(options, name), (name,), mark)


@cache
def _marks(options: type[Options]) -> dict[str, Ref | MetricsRef | None]:
    return {name: mark_of(field) for name, field in options.model_fields.items()}


def _within(value: Any, keys: Keys, mark: Ref | MetricsRef | None) -> Iterator[Reference]:
    if isinstance(value, Options):
        for one in references(value):
            yield Reference((*keys, *one.keys), one.mark, one.named)
    elif isinstance(value, Mapping | tuple | list):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in entries:
            yield from _within(inner, (*keys, key), mark)
    elif mark and isinstance(value, str):
        yield Reference(keys, mark, value)


def mark_of(field: FieldInfo) -> Ref | MetricsRef | None:
    """The mark of a field, or of what its list, mapping or alternative holds."""
    annotation: Any = field.annotation
    return next((m for m in field.metadata if isinstance(m, Ref | MetricsRef)), None) or _mark(annotation)


@cache
def _mark(annotation: Any) -> Ref | MetricsRef | None:
    marks = (m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Ref | MetricsRef))
    return next(marks, None) or next((m for part in get_args(annotation) if (m := _mark(part))), None)
