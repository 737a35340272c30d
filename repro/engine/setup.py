"""The machine a run is on: device, precision, processes, and their description for the record."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import Accelerator

from repro import __version__
from repro.engine.allocation import keep_small_blocks
from repro.errors import UserError

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


@dataclass(frozen=True)
class Setup:
    """Device, processes (through Accelerate) and precision of a run."""

    accelerator: Accelerator
    precision: str

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def autocast(self) -> torch.autocast:
        """The context in which networks run: bf16 where that is the precision, else nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    @property
    def rank(self) -> int:
        return self.accelerator.process_index

    @property
    def processes(self) -> int:
        return self.accelerator.num_processes

    @property
    def main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.accelerator.is_main_process

    def agree(self, value: Any) -> Any:
        """The main process's value (numbers, strings, None), on every process; also a barrier."""
        if self.processes == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    @cached_property
    def hardware(self) -> dict[str, Any]:
        """Processor, accelerator and memory, as they are written into the record."""
        gpus = torch.cuda.device_count() if self.device.type == "cuda" else 0
        return {
            "cpu": _cpu_name(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "threads": torch.get_num_threads(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "gpus": [torch.cuda.get_device_name(i) for i in range(gpus)],
            "processes": self.processes,
            "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        }


def set_up(device: str = "auto", precision: str = "auto", recipe_precision: str = "auto") -> Setup:
    """The set-up for `--device auto|cpu|cuda` and `--precision auto|fp32|tf32|bf16`.

    What the command leaves at `auto` the recipe decides; what both leave open is bf16 on a device with fast
    bf16 and fp32 elsewhere. `fp32` is exact: GPUs round to TF32 only where `tf32` says so, and CPUs never do.
    Raises UserError when a GPU is asked for and none is there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "--device cuda: torch finds no CUDA device here; see `repro doctor`, or use --device cpu."
        )
    on_gpu = device != "cpu" and torch.cuda.is_available()
    chosen = next((p for p in (precision, recipe_precision) if p != "auto"), None)
    chosen = chosen or ("bf16" if fast_bf16(on_gpu) else "fp32")
    if chosen == "tf32" and not on_gpu:
        chosen = "fp32"
    _round_fp32(chosen)
    if not on_gpu:
        keep_small_blocks()
    return Setup(_accelerator(on_gpu), chosen)


@cache
def _accelerator(on_gpu: bool) -> Accelerator:
    """One for the whole program: Accelerate's state is global. Precision is the recipe's own, see `autocast`."""
    return Accelerator(cpu=not on_gpu, mixed_precision="no")


def _round_fp32(precision: str) -> None:
    """How GPUs compute in fp32. Left alone, torch would use TF32 in convolutions and not in products."""
    rounding = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = rounding


def fast_bf16(on_gpu: bool) -> bool:
    """Whether the device computes faster in bf16: GPUs from Ampere on, CPUs with AMX or AVX512-BF16."""
    if on_gpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def packages() -> dict[str, str]:
    """Versions of the packages that can affect the numbers."""
    return {name: version(name) for name in PACKAGES if _installed(name)}


def code_version() -> dict[str, Any]:
    """The version of this code: release, and commit when it runs from a checkout."""
    root = Path(__file__).parents[2]

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


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
