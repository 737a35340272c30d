"""Which code computes a recipe's numbers: digests to compare a record with the present.

That is the code of the recipe's components (stages, experiments, methods, networks, heads), and of all functions,
classes and constants of the package that it uses in turn, as far as they compute. What only carries the work
(checkpoints, records, tables, the command line) does not count: it is tested to leave no trace in the numbers. Nor do
comments, docstrings, annotations and the declarations of options, whose values are part of the recipe's hash.
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
REST = ""  # stands for the statements of a module that define nothing


def components(recipe: Any) -> dict[str, str]:
    """Module -> digest of what the recipe uses of it, for all that computes its numbers; sorted by module."""
    return dict(_digests(frozenset(_declaring(recipe.stages.values()))))


def combined(digests: Mapping[str, str]) -> str:
    """One digest for all of them."""
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()[:16]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules that are not the same in both."""
    return sorted(module for module in before.keys() | now.keys() if before.get(module) != now.get(module))


def _declaring(values: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(module, class) of the components that declare these options, and options within them."""
    for value in values:
        if isinstance(value, Options):
            module, _, owner = type(value).__module__.rpartition(".")  # named after their component
            if _counts(module):
                yield module, owner
            yield from _declaring(getattr(value, name) for name in type(value).model_fields)
        elif isinstance(value, tuple):
            yield from _declaring(value)


@cache
def _digests(classes: frozenset[tuple[str, str]]) -> dict[str, str]:
    used: dict[str, dict[str, str]] = {}
    waiting = [*classes, *((module, REST) for module, _ in classes)]
    while waiting:
        module, name = waiting.pop()
        if name in used.setdefault(module, {}):
            continue
        definitions, imports = _facts(module)
        used[module][name], references = definitions.get(name, ("", []))
        for reference in references:
            waiting += _resolved(module, reference, definitions, imports)
    return {module: combined(used[module]) for module in sorted(used)}


def _resolved(
    module: str, reference: str, definitions: Mapping[str, Any], imports: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """What a name such as `unit`, or `optim.build`, means in a module, if it is of the package and computes."""
    name, _, attribute = reference.partition(".")
    if name in definitions:
        yield module, name
    elif name in imports:
        origin, imported = imports[name]
        if _counts(whole := f"{origin}.{imported}"):
            yield from ((whole, attribute), (whole, REST))
        elif _counts(origin):
            yield from ((origin, imported), (origin, REST))


@cache
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
    """[definition -> [digest, names used], local name -> [module, name imported from it]]."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    imports = {
        alias.asname or alias.name: [str(node.module), alias.name]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    parts: dict[str, list[ast.stmt]] = {REST: []}
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            for name in _defined(node) or [REST]:
                parts.setdefault(name, []).append(node)
    definitions = {
        name: [
            hashlib.sha256(repr(_essence(nodes)).encode()).hexdigest()[:12],
            sorted({used for node in nodes for used in _names(node)}),
        ]
        for name, nodes in parts.items()
    }
    return [definitions, {name: origin for name, origin in imports.items() if origin[0].startswith("repro.")}]


_remembered = Remembered("source", _read)


@cache
def _facts(module: str) -> list[Any]:
    return list(_remembered(_file(module)))


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)]


def _names(node: ast.AST) -> Iterator[str]:
    """The names that a definition uses, with the attribute that is taken of them, if one is."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name):
            yield f"{child.value.id}.{child.attr}"
        elif isinstance(child, ast.Name):
            yield child.id
        elif not _idle(child):
            yield from _names(child)


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
    """Docstrings, imports within functions (what is imported counts by its use), and declarations of options."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.ClassDef):
        return node.name == "Options"
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node, ast.Import | ast.ImportFrom)
