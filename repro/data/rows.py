"""The rows of sets that are not images: columns of Parquet or Arrow files or bundled ones, checked value by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro import modules
from repro.data.available import Files, find_files
from repro.data.declare import TRAIN, DataSet, declaration
from repro.data.fields import Reading
from repro.data.file import blamed, opened
from repro.errors import UserError

Lists = tuple[np.ndarray, np.ndarray]  # values, and where each entry starts, as of `Ragged`


@dataclass(frozen=True)
class Rows:
    """Columns of all files of a split in order; `parts` are the files and their rows; `mend` says what helps."""

    columns: dict[str, pa.ChunkedArray]
    parts: tuple[tuple[str, int], ...]
    mend: str

    def __len__(self) -> int:
        return sum(rows for _, rows in self.parts)

    @property
    def where(self) -> str:
        """The first file."""
        return self.parts[0][0]

    def fault(self, column: str, row: int, text: str) -> UserError:
        """What is wrong with a value: names the file, and the row in it."""
        starts = [*accumulate((rows for _, rows in self.parts), initial=0)]
        part = next(i for i, start in enumerate(starts[1:]) if row < start)
        return UserError(
            f"{self.parts[part][0]}: row {row - starts[part]}, column `{column}`: {text}; {self.mend}."
        )

    def text(self, name: str, gaps: bool = False) -> list[Any]:
        """Texts; None for those that are missing, where there may be gaps."""
        column = self.columns[name]
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise self._kind(name, "text")
        self._no_gaps(name, column, gaps, "there is no text")
        try:
            return column.to_pylist()
        except UnicodeDecodeError:
            bad = [not _readable(value) for value in column]
            self._none(name, np.array(bad), lambda _: "the text is not UTF-8")
            raise

    def category(self, name: str, gaps: bool) -> list[Any]:
        """Texts, whatever the type of the column is."""
        column = self.columns[name]
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise self._kind(name, "text or numbers")
        self._no_gaps(name, column, gaps, "there is no value")
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return self.text(name, gaps)
        return column.cast(pa.string()).to_pylist()

    def number(self, name: str, gaps: bool) -> np.ndarray:
        """(n,) float64; NaN for what is missing."""
        column = self.columns[name]
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        if not any(is_kind(column.type) for is_kind in kinds):
            raise self._kind(name, "numbers")
        values = column.cast(pa.float64(), safe=False).to_numpy()
        bad = np.isinf(values) if gaps else ~np.isfinite(values)
        self._none(name, bad, lambda row: f"{column[row].as_py()} is not a finite number")
        return values

    def label(self, name: str, gaps: bool, below: int) -> np.ndarray:
        """(n,) int64 from 0 to `below` − 1; −1 for none, where there may be gaps."""
        column = self.columns[name]
        if not pa.types.is_integer(column.type):
            raise self._kind(name, "integers")
        values = column.cast(pa.int64(), safe=False).fill_null(-1).to_numpy()
        bad = (values < -gaps) | (values >= below)
        self._none(name, bad, lambda row: f"{column[row].as_py()} is not from 0 to {below - 1}")
        return values

    def lists(self, name: str, below: int) -> Lists:
        """Lists of integers from 0 to `below` − 1."""
        column = self.columns[name].combine_chunks()
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)) or not (
            pa.types.is_integer(column.type.value_type)
        ):
            raise self._kind(name, "lists of integers")
        self._no_gaps(name, column, False, "there is no list")
        starts = np.cumsum([0, *pc.list_value_length(column).to_numpy(zero_copy_only=False)])
        values = column.flatten().cast(pa.int64(), safe=False).fill_null(-1).to_numpy(zero_copy_only=False)
        bad = np.zeros(len(self), bool)
        bad[np.searchsorted(starts, np.flatnonzero((values < 0) | (values >= below)), "right") - 1] = True
        self._none(name, bad, lambda row: f"an entry of the list is not from 0 to {below - 1}")
        return values, starts.astype(np.int64)

    def _kind(self, name: str, expected: str) -> UserError:
        return UserError(
            f"{self.where}: column `{name}` is {self.columns[name].type}; expected {expected}; {self.mend}."
        )

    def _no_gaps(self, name: str, column: Any, gaps: bool, text: str) -> None:
        if column.null_count and not gaps:
            self._none(name, np.asarray(column.is_null()), lambda _: text)

    def _none(self, name: str, bad: np.ndarray, text: Callable[[int], str]) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise self.fault(name, row, text(row))


def _readable(value: Any) -> bool:
    try:
        value.as_py()
    except UnicodeDecodeError:
        return False
    return True


def read(declared: DataSet, split: str) -> Rows:
    """The rows of a split, or of the whole that it is cut from. Raises UserError when they are not here."""
    columns = [*declared.readings]
    if declared.whole and declared.whole.by:
        columns.append(declared.whole.by)
    if declared.source.union:
        return _union(declared.source.union, declared)
    if declared.source.bundled:
        return _bundled(declared.source.bundled, split, columns)
    files = find_files(declared, split)
    if files is None:
        raise UserError(f"Data set `{declared.name}`, split `{split}`, is not here: {declared.how_to_get}.")
    return read_files(files, columns, f"delete {files.to_remove}, then {declared.how_to_get}")


def read_files(files: Files, columns: list[str], mend: str) -> Rows:
    """These columns of all the files. Raises UserError, naming the file, when it cannot be read or lacks one."""
    tables = [_table(path, columns, mend) for path in files.paths]
    kinds = [table.schema.types for table in tables]
    if odd := next((i for i, kind in enumerate(kinds) if kind != kinds[0]), 0):
        raise UserError(
            f"{files.paths[odd]}: its columns have other types than those of {files.paths[0]}; {mend}."
        )
    whole = pa.concat_tables([table.replace_schema_metadata() for table in tables])
    parts = tuple((str(path), len(table)) for path, table in zip(files.paths, tables, strict=True))
    return Rows({name: whole[name] for name in columns}, parts, mend)


def _table(path: Path, columns: list[str], mend: str) -> pa.Table:
    with blamed(path, mend):
        source = opened(path)
        schema = source.schema if isinstance(source, pa.Table) else source.schema_arrow
        for name in columns:
            if (times := schema.names.count(name)) != 1:
                what = "two columns" if times else "no column"
                raise UserError(f"{path}: {what} `{name}` (there are {', '.join(schema.names)}); {mend}.")
        table = source.select(columns) if isinstance(source, pa.Table) else source.read(columns)
        encoded = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
        for name in encoded:  # categories of pandas
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, table[name].cast(table[name].type.value_type))
        return table


def _bundled(function: str, split: str, columns: list[str]) -> Rows:
    values = modules.function(function)(split)
    found = {column: pa.chunked_array([pa.array(values[column])]) for column in columns}
    return Rows(found, ((function.partition(":")[0], len(found[columns[0]])),), "install the project again")


def _union(parts: dict[str, tuple[str, ...]], declared: DataSet) -> Rows:
    """The training texts of other sets: every different one once, in the order of their first occurrence."""
    texts: dict[str, None] = {}
    where = []
    for name, columns in parts.items():
        rows = read(declaration(name), TRAIN)
        where.append(rows.where)
        for column in columns:
            if column not in rows.columns:
                raise UserError(f"`{declared.name}`: no field of `{name}` is made of the column `{column}`.")
        for texts_of_row in zip(*(rows.text(column) for column in columns), strict=True):
            texts.update(dict.fromkeys(texts_of_row))
    found = {"text": pa.chunked_array([pa.array([*texts], pa.string())])}
    return Rows(found, ((" and ".join(where), len(texts)),), declared.how_to_get)


def checked(rows: Rows, readings: dict[str, Reading], classes: int, features: int) -> dict[str, Any]:
    """Column -> its values, of what is declared; `features` bounds the entries of lists."""
    found: dict[str, Any] = {}
    for name, (what, gaps) in readings.items():
        match what:
            case "label":
                found[name] = rows.label(name, gaps, classes)
            case "list":
                found[name] = rows.lists(name, features)
            case _:
                found[name] = getattr(rows, what)(name, gaps)
    return found
