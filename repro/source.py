"""Which code computes a recipe's numbers: a digest of each module that does, to compare a record with the present.

These are the modules of the recipe's components (stages, experiments, methods, networks, heads), and what they
import of the package in turn, as far as it computes. What only carries the work (checkpoints, records, tables, the
command line) does not count: it is tested to leave no trace in the numbers. Nor do comments, docstrings, annotations
and the declarations of options, whose values are part of the recipe's hash.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from repro.cache import Remembered
from repro.options import Options

PACKAGE = Path(__file__).parent
COMPUTING = ("methods", "networks", "views", "stages", "experiments")
ENGINE = ("batches", "features", "fit", "keys", "lars", "method", "online", "optim", "plan", "update")


def components(recipe: Any) -> dict[str, str]:
    """Module -> digest, for all that computes the recipe's numbers; sorted by module."""
    return _digests(frozenset(_declaring(recipe.stages.values())))


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules that are not the same in both."""
    return sorted(module for module in before.keys() | now.keys() if before.get(module) != now.get(module))


def combined(components: Mapping[str, str]) -> str:
    """One digest for all of them."""
    return hashlib.sha256(repr(sorted(components.items())).encode()).hexdigest()[:16]


def _declaring(values: Iterable[Any]) -> Iterator[str]:
    """The modules of the components that declare these options, and options within them."""
    for value in values:
        if isinstance(value, Options):
            module = type(value).__module__.rsplit(".", 1)[
                0
            ]  # options are named after their component's class
            if _counts(module):
                yield module
            yield from _declaring(getattr(value, name) for name in type(value).model_fields)
        elif isinstance(value, tuple):
            yield from _declaring(value)


@cache
def _digests(modules: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = sorted(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module], imported = _facts(_file(module))
            waiting += [name for name in imported if _counts(name) and name not in found]
    return dict(sorted(found.items()))


def _counts(module: str) -> bool:
    """Whether the module is one of the package that computes."""
    parts = module.split(".")
    if len(parts) < 3 or parts[0] != "repro" or not _file(module).is_file():
        return False
    return parts[1] in COMPUTING or (parts[1] == "engine" and parts[2] in ENGINE)


def _file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _read(path: Path) -> list[Any]:
    """The file's digest, and the modules of the package that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    text = repr(_essence(tree))
    return [hashlib.sha256(text.encode()).hexdigest()[:12], sorted(set(_imports(tree)))]


_facts = Remembered("source", _read)


def _imports(tree: ast.Module) -> Iterator[str]:
    """Every module of the package that could be meant: of `from a.b import c`, both a.b and a.b.c."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("repro."):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("repro."))


def _essence(node: Any) -> Any:
    """The syntax tree as nested tuples, alike in all versions of Python, without what does not compute."""
    if isinstance(node, list):
        return tuple(_essence(one) for one in node if not _idle(one))
    if not isinstance(node, ast.AST):
        return node
    skipped = ("annotation", "returns", "type_comment", "type_params", "kind", "ctx")
    fields = ((name, getattr(node, name, None)) for name in node._fields if name not in skipped)
    return type(node).__name__, tuple(
        (name, _essence(value)) for name, value in fields if value not in (None, [])
    )


def _idle(node: Any) -> bool:
    """Docstrings, imports of what is outside the package's computing parts, and declarations of options."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.ClassDef):
        return node.name == "Options"
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    if isinstance(node, ast.ImportFrom):
        return str(node.module).split(".")[0] in ("typing", "__future__", "collections", "pydantic") or (
            str(node.module) in ("repro.options", "repro.errors")
        )
    return False
