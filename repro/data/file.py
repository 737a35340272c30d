"""One Parquet or Arrow file with a column of encoded images, read from the disk when it is asked for.

What is open is opened anew in every process that gets a copy by pickling; what a forked process inherits is
mapped into memory and has no position, so processes and threads do not disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro.data.schema import Columns
from repro.errors import UserError


class File:
    """One file with a column of encoded images. `mend` says, for error messages, what helps if it is damaged."""

    def __init__(self, path: Path, columns: Columns, mend: str) -> None:
        self.path, self.columns, self.mend = path, columns, mend

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "columns": self.columns, "mend": self.mend, "starts": self.starts}

    @cached_property
    def source(self) -> Any:
        """The open file, its image column checked: a ParquetFile, or a Table of an Arrow stream."""
        with self._blamed():
            source = opened(self.path)
        kind = self._column(source, self.columns.image)
        if not (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
            raise UserError(
                f"{self.path}: column `{self.columns.image}` is {kind}; expected a struct with a field `bytes`."
            )
        return source

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each row group, and at the end the number of rows."""
        if isinstance(self.source, pa.Table):
            sizes = [len(chunk) for chunk in self.source[self.columns.image].chunks]
        else:
            metadata = self.source.metadata
            sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
        return [*accumulate(sizes, initial=0)]

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def largest(self) -> int:
        """Bytes of the largest row group of a Parquet file; 0 for an Arrow file, whose rows are read one by one."""
        if isinstance(self.source, pa.Table):
            return 0
        metadata = self.source.metadata
        return max((metadata.row_group(g).total_byte_size for g in range(metadata.num_row_groups)), default=0)

    def __iter__(self) -> Iterator[bytes | None]:
        """The encoded images in order."""
        for group in range(len(self.starts) - 1):
            for encoded in self.group(group):
                yield encoded.as_py()

    def group(self, group: int) -> pa.Array:
        """The encoded images of one row group."""
        with self._blamed():
            if isinstance(self.source, pa.Table):
                return self.source[self.columns.image].chunk(group).field("bytes")
            read = self.source.read_row_group(group, [f"{self.columns.image}.bytes"], use_threads=False)
            return read.column(0).combine_chunks().field("bytes")

    def labels(self, classes: int) -> np.ndarray:
        """The labels (n,) int64, checked."""
        name = self.columns.label
        self._column(self.source, name)
        with self._blamed():
            table = self.source if isinstance(self.source, pa.Table) else self.source.read([name])
        column = table[name]
        if not pa.types.is_integer(column.type) or column.null_count:
            raise UserError(f"{self.path}: column `{name}` is {column.type}; expected integers without gaps.")
        labels = column.to_numpy().astype(np.int64)
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise UserError(
                f"{self.path}: labels go from {labels.min()} to {labels.max()}; expected 0 to {classes - 1}."
            )
        return labels

    def _column(self, source: Any, name: str) -> pa.DataType:
        schema = source.schema if isinstance(source, pa.Table) else source.schema_arrow
        if name not in schema.names:
            raise UserError(
                f"{self.path}: no column `{name}` (there are {', '.join(schema.names)}); expected "
                f"`{self.columns.image}` with encoded images and `{self.columns.label}` with integers."
            )
        return schema.field(name).type

    def _blamed(self) -> AbstractContextManager[None]:
        return blamed(self.path, self.mend)


def opened(path: Path) -> Any:
    """A ParquetFile, or a Table of an Arrow stream."""
    if path.suffix == ".arrow":
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    return pq.ParquetFile(path, memory_map=True)


@contextmanager
def blamed(path: Path, mend: str) -> Iterator[None]:
    """Turns what Arrow raises into an error that names the file and what helps."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: the file is not there any more; {mend}.") from None
    except PermissionError:
        raise UserError(f"{path}: this user may not read the file.") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{path}: the file is damaged or incomplete ({reason}); {mend}.") from None
