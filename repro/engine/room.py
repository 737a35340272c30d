"""How much memory a process may take: what the machine has free, and what the process's control groups allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

from repro.engine.setup import Setup

SHARE = {"cpu": 0.7, "cuda": 0.9}  # on a GPU too much is noticed and mended, on a CPU it ends in a kill


def room(setup: Setup, processes: int | None = None) -> float:
    """Bytes that one of `processes` (those of the set-up unless given) may take in all on its device.

    On a CPU the processes share what is free, and what this one has is its own already.
    """
    if setup.device.type == "cuda":
        return SHARE["cuda"] * torch.cuda.mem_get_info(setup.device)[0]
    own = psutil.Process().memory_info().rss
    return SHARE["cpu"] * (free() / (processes or setup.processes) + own)


def free(root: Path = Path("/")) -> int:
    """Bytes that can still be taken on the host: the least of the machine and of all control groups around us."""
    limits = [limit - used for limit, used in groups(root)]
    return max(0, min([psutil.virtual_memory().available, *limits]))


def groups(root: Path = Path("/")) -> Iterator[tuple[int, int]]:
    """(limit, use) in bytes of each control group with a limit, of version 1 or 2, from ours to the outermost.

    Of the use, pages of files that have not been read for a while do not count: the kernel gives them up first.
    Inside of a container the path of the group may not be visible; then the mount itself is the group.
    """
    for mount, path, names in _hierarchies(root):
        inner = mount / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(mount):
                break
            limit, used = (_number(folder / name) for name in names[:2])
            if limit is not None and used is not None:
                yield limit, used - _inactive(folder / "memory.stat", names[2])


def _hierarchies(root: Path) -> Iterator[tuple[Path, str, tuple[str, str, str]]]:
    """The mounts that may limit memory, with our group's path there and the names of limit, use and idle pages."""
    listed = root / "proc/self/cgroup"
    lines = listed.read_text().splitlines() if listed.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                yield root / mount, path, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield root / "sys/fs/cgroup/memory", path, names


def _number(path: Path) -> int | None:
    """The number in a file; None when there is none, or the word `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _inactive(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)
