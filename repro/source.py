"""Which code computes a recipe's numbers: digests to compare a record with the present.

That is the code of the recipe's components (stages, experiments, methods, networks, heads), and of all functions,
classes and constants of the package that it uses in turn, as far as they compute. What only carries the work
(checkpoints, records, tables, the command line) does not count: it is tested to leave no trace in the numbers. Nor do
comments, docstrings, annotations and the declarations of options, whose values are part of the recipe's hash.

In other packages with components (see `repro.modules`) everything counts that is used.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from repro import modules
from repro.cache import Remembered
from repro.components import FOLDERS, SUFFIX, owner
from repro.files import listed
from repro.options import ComponentOptions, Options

COMPUTING = ("views", *(folder for folders in FOLDERS for folder in folders))
ENGINE = (
    "batches",
    "draws",
    "features",
    "fit",
    "method",
    "online",
    "optim",
    "plan",
    "restore",
    "streams",
    "update",
)
GROUPED = ("methods", "experiments")  # in folders by family
MOVED = {"repro.keys": "repro.engine.keys"}  # since records were made
REST = ""  # stands for the statements of a module that define nothing
# What stood in a class when records were made with it, and has gone since without a change of what it computes.
GONE = {
    "resnet.ResNet": 'names = ("resnet18", "resnet34", "resnet50")',
    "resnet_cifar.SmallResNet": f"names = {tuple(f'resnet{n}' for n in (8, 14, 20, 32, 44, 56, 110))}",
}


def components(recipe: Any) -> dict[str, str]:
    """Module -> digest of what the recipe uses of it, for all that computes its numbers; sorted by module.

    Methods and experiments are named without the folder of their family, so that records outlast its name.
    """
    return dict(_digests(frozenset(_declaring(recipe.stages.values()))))


def combined(digests: Mapping[str, str]) -> str:
    """One digest for all of them."""
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()[:16]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules that are not the same in both."""
    return sorted(module for module in before.keys() | now.keys() if before.get(module) != now.get(module))


def _declaring(values: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(module, class) of the components that have these options, and options within them."""
    for value in values:
        if isinstance(value, Options):
            if isinstance(value, ComponentOptions) and _counts(owner(type(value))[0]):
                yield owner(type(value))
            yield from _declaring(getattr(value, name) for name in type(value).model_fields)
        elif isinstance(value, tuple):
            yield from _declaring(value)
        elif isinstance(value, dict):
            yield from _declaring(value.values())


def look() -> None:
    """Takes note of all that computes as it is now, before it is imported; `edited` compares with that."""
    for root in modules.roots().values():
        for path in listed(root, "**/*.py"):
            if _counts(module := modules.name_of(path)):
                _facts(module)


def edited(recipe: Any) -> list[str]:
    """The modules behind the recipe's numbers that were edited since this process looked at them.

    Which version of them computed cannot be known then: a module is imported when it is first used.
    """
    classes = frozenset(_declaring(recipe.stages.values()))
    return changed(_digests(classes), _followed(classes, _read_again))


@cache
def _digests(classes: frozenset[tuple[str, str]]) -> dict[str, str]:
    return _followed(classes, _facts)


def _followed(classes: frozenset[tuple[str, str]], facts: Callable[[str], Sequence[Any]]) -> dict[str, str]:
    used: dict[str, dict[str, str]] = {}
    waiting, seen = [*classes, *((module, REST) for module, _ in classes)], set()
    while waiting:
        module, path = waiting.pop()
        if (module, path) in seen:
            continue
        seen.add((module, path))
        definitions, imports = facts(module)
        name = path.partition(".")[0]
        own, references = definitions.get(name, ("", [path]))  # or the module passes on what it imports
        used.setdefault(module, {})[name] = own
        for reference in references:
            waiting += _resolved(module, reference, definitions, imports)
    return dict(sorted((_in_records(module), combined(digests)) for module, digests in used.items()))


def _in_records(module: str) -> str:
    """`repro.methods.supcon` for `repro.methods.contrastive.supcon`; what has moved is called as before."""
    if module in MOVED:
        return MOVED[module]
    parts = module.split(".")
    grouped = parts[0] == "repro" and parts[1] in GROUPED and len(parts) > 3 and parts[2] != "parts"
    return ".".join([*parts[:2], *parts[3:]]) if grouped else module


def _resolved(
    module: str, reference: str, definitions: Mapping[str, Any], imports: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What a name such as `unit`, or `optim.build`, means in a module, if it is of the package and computes."""
    name, _, attributes = reference.partition(".")
    if name in definitions:
        yield module, name
    elif name in imports:
        yield from _located(f"{imports[name]}.{attributes}".rstrip("."))
    else:
        for local, origin in imports.items():
            if local.startswith("*"):
                yield from _located(f"{origin}.{reference}")


def _located(path: str) -> Iterator[tuple[str, str]]:
    """(module, definition) that a dotted path such as `repro.engine.optim.build` leads to, and the module's rest."""
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        if _counts(module := ".".join(parts[:n])):
            yield from ((module, ".".join(parts[n:])), (module, REST))
            return


@cache
def _counts(module: str) -> bool:
    """Whether it is a module that computes."""
    parts = modules.parts_of(module)
    if not parts or parts[-1].endswith(SUFFIX) or not modules.file_of(module).is_file():
        return False
    if module in MOVED or not module.startswith("repro."):
        return True
    in_folder = any(".".join(parts).startswith(f"{folder}.") for folder in COMPUTING)
    return in_folder or (parts[0] == "engine" and parts[-1] in ENGINE)


def _read(path: Path) -> list[Any]:
    """[definition -> [digest, names used], local name -> what is imported by it], names in full.

    A file that is not Python, as while it is edited, is one statement.
    """
    text = path.read_bytes()
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError):
        return [{REST: [hashlib.sha256(text).hexdigest()[:12], []]}, {}]
    parts: dict[str, list[ast.stmt]] = {REST: []}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (gone := GONE.get(f"{path.stem}.{node.name}")):
            node.body[:0] = ast.parse(gone).body
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
    return [definitions, {local: full for node in ast.walk(tree) for local, full in _imported(node, path)}]


def _imported(node: ast.AST, path: Path) -> Iterator[tuple[str, str]]:
    """Local name -> full name; all names of a module are `*` and the module -> the module."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom):
        origin = node.module or ""
        if node.level:
            folder = modules.name_of(path).split(".")[: -node.level]
            origin = ".".join([*folder, *origin.split(".")]).rstrip(".")
        for alias in node.names:
            if alias.name == "*":
                yield f"*{origin}", origin
            else:
                yield alias.asname or alias.name, f"{origin}.{alias.name}"


_remembered = Remembered("source", _read)


def _read_again(module: str) -> list[Any]:
    file = modules.file_of(module)
    return list(_remembered(file)) if file.is_file() else [{}, {}]


@cache
def _facts(module: str) -> list[Any]:
    return _read_again(module)


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)]


def _names(node: ast.AST) -> Iterator[str]:
    """The names that a definition uses, with the attributes that are taken of them, if any are."""
    for child in ast.iter_child_nodes(node):
        if name := _dotted(child):
            yield name
        elif not _idle(child):
            yield from _names(child)


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for an expression that is just this, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    owner = _dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{owner}.{node.attr}" if isinstance(node, ast.Attribute) and owner else ""


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
    if isinstance(node, ast.ClassDef | ast.Assign) and _defined(node) == ["Options"]:
        return True
    if isinstance(node, ast.AnnAssign):
        return node.value is None or _defined(node) == ["Options"]
    return isinstance(node, ast.Import | ast.ImportFrom)
