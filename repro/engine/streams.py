"""The streams that a stage trains on.

The rows of the main one are divided over processes and chunks; further streams add samples to each of those rows.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from repro.data.samplers.base import Sampler
from repro.data.table import Table
from repro.engine.batches import Course, sampler_of
from repro.engine.stage import Context
from repro.engine.update import Updater
from repro.keys import key
from repro.options import StreamOptions
from repro.views.loader import Loader, loader

Fields = dict[str, Tensor]


@dataclass
class Stream:
    """A further stream: its table, which samples it adds at each step, and its views."""

    name: str
    table: Table
    sampler: Sampler
    options: StreamOptions

    @classmethod
    def of(cls, ctx: Context, name: str, options: StreamOptions, batch: int) -> Stream:
        """The stream of a stage whose batches have `batch` rows."""
        table = ctx.table(options, "train")
        seed = key(ctx.seed, ctx.stage, "stream", name)
        return cls(name, table, sampler_of(options.sampler, table, batch * options.ratio, seed), options)

    def index(self, step: int, rows: int) -> Tensor:
        """(rows, ratio, *group) int64 for the first `rows` rows of the main stream's batch."""
        return self.sampler.index(step).unflatten(0, (-1, self.options.ratio))[:rows]


class Streams(ExitStack):
    """Gives the inputs of this process's rows, and the facts of all rows, step by step. To be closed."""

    def __init__(
        self, ctx: Context, main: Table, course: Course, views: Any, updater: Updater, further: list[Stream]
    ):
        super().__init__()
        self.course, self.further, self.updater = course, further, updater
        self.seed, self.stage, self.device = ctx.seed, ctx.stage, ctx.device
        self._index = lru_cache(maxsize=4)(self._drawn)
        self.facts_of = {"": self._facts(main)} | {s.name: self._facts(s.table) for s in further}
        self.loaders = {"": self._opened(main, views, self._main)}
        for stream in further:
            self.loaders[stream.name] = self._opened(
                stream.table, stream.options.views, partial(self._other, stream)
            )

    def inputs(self, step: int) -> Fields:
        """What the views make of the rows that this process needs: (m, *group, …), of a stream `unlabelled_…`."""
        found: Fields = {}
        for name, source in self.loaders.items():
            shape = self._needed(name, step).shape
            for field, x in source(step).items():
                found[named(name, field)] = x.unflatten(0, shape)
        return found

    def facts(self, step: int) -> Fields:
        """The `index` of the whole batch's samples, and each of their scalar fields: (N, *group)."""
        found: Fields = {}
        for name, scalars in self.facts_of.items():
            index = self._index(name, step).to(self.device)
            own = {field: x[index] for field, x in scalars.items()} | {"index": index}
            found |= {named(name, field): x for field, x in own.items()}
        return found

    def _facts(self, table: Table) -> Fields:
        return {name: x.to(self.device) for name, x in scalars_of(table).items()}

    def _opened(self, table: Table, views: Any, upcoming: Any) -> Loader:
        source = loader(table, views, self.device, upcoming, self.course.total)
        self.callback(source.close)
        return source

    def _drawn(self, name: str, step: int) -> Tensor:
        index = self.course[step]
        if not name:
            return index
        return next(s for s in self.further if s.name == name).index(step, len(index))

    def _needed(self, name: str, step: int) -> Tensor:
        index = self._index(name, step)
        return index[self.updater.needed(step, len(index))]

    def _main(self, step: int) -> tuple[Tensor, int]:
        """The samples of a step that this process makes views of, and the key of their draws."""
        return self._needed("", step).flatten(), self.course.view_key(self.seed, self.stage, step)

    def _other(self, stream: Stream, step: int) -> tuple[Tensor, int]:
        return self._needed(stream.name, step).flatten(), key(
            self.seed, self.stage, "views", stream.name, step
        )


def scalars_of(table: Table) -> Fields:
    """The numbers of each sample, with a label −1 where there is none."""
    return {"label": table.labels, **table.scalars}


def facts_of(table: Table, index: Tensor, device: torch.device) -> Fields:
    """What is known of the samples index (n,) beside their views."""
    return {**{name: x[index].to(device) for name, x in scalars_of(table).items()}, "index": index.to(device)}


def named(stream: str, field: str) -> str:
    return f"{stream}_{field}" if stream else field
