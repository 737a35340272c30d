"""Files that are written whole or not at all, and folders of files that people write."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from platform import node
from typing import Any

from repro.errors import UserError

ABANDONED = 24 * 3600  # seconds: what no process has finished by then, on any machine, nobody will


def listed(folder: Path, pattern: str) -> list[Path]:
    """The files that match, sorted, without what editors and systems leave beside them: hidden ones, dead links."""
    above = len(str(folder))
    shown = (path for path in folder.glob(pattern) if f"{os.sep}." not in str(path)[above:])
    return sorted(path for path in shown if path.is_file())


def by_name(folders: Iterable[Path], pattern: str) -> dict[str, list[Path]]:
    """Name, without its ending -> the files of that name in these folders; a folder that is another counts once."""
    found: dict[str, list[Path]] = {}
    for folder in {folder.resolve(): folder for folder in folders}.values():
        for path in listed(folder, pattern):
            found.setdefault(path.stem, []).append(path)
    return dict(sorted(found.items()))


def only(kind: str, alike: Sequence[Path]) -> Path:
    """The one file of a name. Raises UserError, naming all, when there are more; `kind` says of what."""
    if len(alike) > 1:
        others = " and ".join(map(str, alike[1:]))
        raise UserError(f"{alike[0]}: another {kind} has the same name, {others}; rename one.")
    return alike[0]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary file beside `path` to write, and puts it in its place once it is safely on the disk.

    When anything fails, what was at `path` before stays as it was, and the temporary file goes. Those of processes
    that were killed go with the first file that a later one writes into the folder.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}@{node()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@cache
def _sweep(folder: Path) -> None:
    """Removes the temporary files in a folder that no living process will put in their place; once a process."""
    for path in folder.glob("*.tmp"):
        with suppress(OSError):
            if _abandoned(path):
                path.unlink()


def _abandoned(path: Path) -> bool:
    """Whether the process that began this temporary file is gone. One of another machine counts as gone in a day."""
    made_by = re.fullmatch(r".*\.(\d+)@(.*)\.tmp", path.name)
    if not made_by:
        return False
    if time.time() - path.stat().st_mtime > ABANDONED:
        return True
    import psutil

    process, machine = int(made_by[1]), made_by[2]
    return machine == node() and (process == os.getpid() or not psutil.pid_exists(process))


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """As `replacing`, for what has to be written: raises UserError when the disk refuses."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(
            f"{path} could not be written: {error.strerror or error}; what was there before is unharmed. "
            "Make room and run the same command again."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Writes the file whole. Raises UserError when the disk refuses; an earlier file stays as it was."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy(source: Path, path: Path) -> None:
    """Copies a file whole. Raises UserError when the disk refuses."""
    try:
        with replacing(path) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(
            f"{source} could not be copied to {path}: {error.strerror or error}. "
            "Make room and run the same command again."
        ) from None


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


def digest(value: Any) -> str:
    """SHA-256 over the value as JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 over the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
