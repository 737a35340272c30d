"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from repro.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary file beside `path` to write, and puts it in its place once it is safely on the disk.

    When anything fails, what was at `path` before stays as it was, and the temporary file goes.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes the file whole. Raises UserError when the disk refuses; an earlier file stays as it was."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{path} could not be written: {error.strerror or error}; what was there before is unharmed. "
            "Make room and run the same command again."
        ) from None


def copy(source: Path, path: Path) -> None:
    """Copies a file whole. Raises UserError when the disk refuses."""
    try:
        with replacing(path) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(f"{source} could not be copied to {path}: {error.strerror or error}.") from None


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file whole. Raises UserError when the disk refuses."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The file's value. Raises UserError when it cannot be read or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run the same command again.") from None
