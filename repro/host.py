"""This machine and this installation, as they are known without loading torch."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from repro import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "accelerate",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "datasets",
    "gymnasium",
    "mujoco",
    "box2d",
)
CPUINFO = Path("/proc/cpuinfo")


def forgive_output() -> None:
    """Has signs that the terminal's encoding lacks come out as `?`: they are no reason to stop a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def cpu_flags() -> set[str]:
    """What the processor can do, in Linux's words; empty where they are not told."""
    return set(_cpuinfo().get("flags", "").split())


def system() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def packages() -> dict[str, str]:
    """Versions of the packages that can affect the numbers."""
    return {name: found for name in PACKAGES if (found := _version(name))}


def code_version() -> dict[str, Any]:
    """The version of this code: release, and commit when it runs from a checkout."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD") if (root / ".git").exists() else None
    dirty = bool(git("status", "--porcelain", "--", "repro", "recipes")) if commit else None
    return {"version": __version__, "commit": commit, "dirty": dirty}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor of Linux's list."""
    if not CPUINFO.exists():
        return {}
    first = CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
