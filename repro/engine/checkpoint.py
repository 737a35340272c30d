"""Checkpoints: one safetensors file each, written atomically, with nothing in it that could run.

Tensors are stored under `<part>.<name>`; numbers, lists and the optimizer's groups go into the file's
metadata as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from repro.engine.state import damaged
from repro.files import writing

Part = nn.Module | Optimizer


def save(path: Path, tensors: Mapping[str, Tensor], facts: Any) -> None:
    """Writes the file whole or not at all. Raises UserError when the disk refuses; the old file stays."""
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    told = json.dumps(facts)
    metadata = {"facts": told, "digest": _digest(contiguous, told)}
    with writing(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata=metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from None


def load(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors and facts that `save` wrote. Raises UserError for a file that is damaged or foreign."""
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["digest"] != _digest(tensors, told["facts"]):
            raise ValueError("its digest is not that of its content")
        return tensors, json.loads(told["facts"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise damaged(path, str(error)) from None


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    """SHA-256 over the facts and over the tensors' names, types, shapes and bytes."""
    whole = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def packed(parts: Mapping[str, Part]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of modules and optimizers as flat tensors and JSON facts."""
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            tensors |= {f"{name}.{k}": v.clone() for k, v in part.state_dict().items()}
        else:
            state = part.state_dict()
            facts[name] = state["param_groups"]
            for index, values in state["state"].items():
                tensors |= {
                    f"{name}.{index}.{k}": torch.as_tensor(v).clone()
                    for k, v in values.items()
                    if v is not None
                }
    return tensors, facts


def unpack(parts: Mapping[str, Part], tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Puts a packed state back into the same modules and optimizers, in the memory layout of their parameters."""
    for name, part in parts.items():
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
        if isinstance(part, nn.Module):
            part.load_state_dict(own)
        else:
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in own.items():
                index, _, entry = key.partition(".")
                state.setdefault(int(index), {})[entry] = value
            part.load_state_dict({"state": state, "param_groups": facts[name]})
            _lay_out(part)


def carry(name: str, part: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives the part the tensors that another one of this name had, if they are alike in name and shape."""
    theirs = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
    if {k: v.shape for k, v in theirs.items()} == {k: v.shape for k, v in part.state_dict().items()}:
        part.load_state_dict(theirs)


def _lay_out(optimizer: Optimizer) -> None:
    """Gives the state of each parameter its strides, which files do not keep and fused optimizers rely on."""
    for parameter, state in optimizer.state.items():
        for entry, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[entry] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
