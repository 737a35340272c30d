"""What was read from files, remembered between runs of the program."""

from __future__ import annotations

import atexit
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from repro import paths
from repro.errors import UserError
from repro.files import write_json

# A file may be written twice within the resolution of its time stamp; one this young (ns) is not kept yet.
YOUNG = 2_000_000_000


class Remembered:
    """`read(path)`, its result kept in `<name>.json` of the cache folder for as long as the file stays as it is.

    A file has changed when its size or times have. Results that JSON cannot hold exactly are not kept. The
    cache is written when the program ends; if it is damaged or cannot be written, the files are simply read.
    Raises what `read` raises.
    """

    def __init__(self, name: str, read: Callable[[Path], Any]):
        self.name, self.read = name, read
        self._kept: dict[str, tuple[str, str]] | None = None  # file -> its stamp, its value as JSON text
        self._changed = False

    def __call__(self, path: Path) -> Any:
        if self._kept is None:
            self._kept = self._load()
            atexit.register(self.save)
        key, stamp = str(_resolved(path.parent) / path.name), _stamp(path)
        if stamp and key in self._kept and self._kept[key][0] == stamp:
            with suppress(ValueError):
                return json.loads(self._kept[key][1])
        value = self.read(path)
        text = _exact_json(value)
        if stamp and text and stamp == _stamp(path) and not _young(path):
            self._kept[key] = (stamp, text)
            self._changed = True
        return value

    def save(self) -> None:
        """Writes the cache if it has news, without the files that are gone."""
        if not self._changed or self._kept is None:
            return
        kept = {key: entry for key, entry in self._kept.items() if Path(key).exists()}
        with suppress(UserError, OSError, ValueError):
            write_json(self._file(), {"reader": self._reader(), "files": kept})
        self._changed = False

    def _file(self) -> Path:
        return paths.cache_dir() / f"{self.name}.json"

    def _reader(self) -> str:
        """Changes with the code that reads, whose older results do not count."""
        return _stamp(Path(str(sys.modules[self.read.__module__].__file__)))

    def _load(self) -> dict[str, tuple[str, str]]:
        try:
            found = json.loads(self._file().read_text(encoding="utf-8"))
            if found["reader"] == self._reader():
                return {str(k): (str(stamp), str(text)) for k, (stamp, text) in found["files"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass  # missing or not ours: the files themselves are the source
        return {}


@cache
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def _stamp(path: Path) -> str:
    """Size and times of the file, or an empty string when it cannot be seen."""
    try:
        s = path.stat()
    except OSError:
        return ""
    return f"{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns}"


def _young(path: Path) -> bool:
    s = path.stat()
    return max(s.st_mtime_ns, s.st_ctime_ns) > time.time_ns() - YOUNG


def _exact_json(value: Any) -> str:
    """The value as JSON, or an empty string when it would not come back the same."""
    try:
        text = json.dumps(value)
        return text if json.loads(text) == value else ""
    except (TypeError, ValueError, RecursionError):
        return ""
