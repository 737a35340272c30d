"""Can this machine run a recipe? Answered without loading torch."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec

import psutil

from repro.data.available import available, lacking
from repro.errors import UserError
from repro.recipes.schema import Recipe


@dataclass(frozen=True)
class Machine:
    """Memory in GB of the host and of each GPU."""

    memory_gb: float
    gpus: tuple[tuple[str, float], ...]


def machine() -> Machine:
    """This machine, as the operating system and NVIDIA's driver describe it."""
    return Machine(psutil.virtual_memory().total / 2**30, tuple(_gpus()))


def obstacle(recipe: Recipe, here: Machine, sensibly: bool = True) -> str | None:
    """Why the recipe cannot run on `here`, in a few words, or None when it can.

    Without `sensibly`, only what makes it impossible counts: a user may start a GPU recipe on a CPU.
    """
    try:
        if recipe.dataset and available(recipe.dataset) is None:
            return f"data set `{recipe.dataset}` is not here: {lacking(recipe.dataset)}"
    except UserError as error:  # its declaration is broken
        return str(error).rstrip(".")
    modules = (module for stage in recipe.stages.values() for module in stage.modules)
    if missing := next((m for m in modules if find_spec(m) is None), None):
        return f"`{missing}` is not installed; `pip install 'repro-recipes[control]'` gets it"
    if not sensibly:
        return None
    if recipe.tier == "cluster":
        return "needs a cluster"
    if recipe.tier == "gpu" and not here.gpus:
        return "needs a GPU"
    largest = max((memory for _, memory in here.gpus), default=0.0)
    memory = largest if recipe.tier == "gpu" else here.memory_gb
    if recipe.memory_gb and recipe.memory_gb > memory:
        return f"needs {recipe.memory_gb:g} GB of memory and {memory:.0f} GB are there"
    return None


def _gpus() -> list[tuple[str, float]]:
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=20)
    if done.returncode:
        return []
    rows = [line.rsplit(",", 1) for line in done.stdout.strip().splitlines()]
    return [(name.strip(), float(mib) / 1024) for name, mib in rows]
