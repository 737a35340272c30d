"""Finds methods, stages, experiments, networks and heads by name, and reads their options without torch.

A component is a class with a nested `Options` class in a file of its folder; its name is the file's name,
or one of the class's `names` when a file holds a family. There is no registry: a new file is enough.

Checking a recipe needs only the options, and importing torch takes seconds. So the declaration is taken
from the file's syntax tree: its imports of `repro.options`, `pydantic` and `typing`, and the `Options`
class itself, with that of another component if it extends one; nothing else of the file is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic.errors import PydanticUserError
from pydantic_core import PydanticCustomError

from repro.errors import UserError, suggestion
from repro.files import listed
from repro.names import UNDERSCORED, underscored
from repro.options import Options

PACKAGE = Path(__file__).parent
DECLARATIVE = ("repro.options", "pydantic", "typing", "__future__")
OUTSIDE = "options may use only what their file imports from `repro.options`, `pydantic` and `typing`"
FOLDERS = (("methods",), ("stages", "experiments"), ("networks",), ("networks.heads",))


def options_for(folders: tuple[str, ...], key: str, value: Any) -> Options:
    """The options object for `value`, a mapping whose entry `key` names a component in one of `folders`.

    Raises pydantic's errors, located inside `value`, for a missing or unknown name or bad options.
    """
    if not isinstance(value, dict) or not isinstance(value.get(key), str):
        raise PydanticCustomError("no_component", f"Needs `{key}:`, the name of a {label(folders)}", {})
    name = value[key]
    try:
        declaration = find(folders, name)
    except UserError as error:
        raise PydanticCustomError("unknown_component", "{message}", {"message": str(error)}) from None
    return declared_options(*declaration).model_validate(value)


def load(folders: tuple[str, ...], name: str) -> Any:
    """The component's class itself (this imports its file, and with it torch)."""
    path, class_name = find(folders, name)
    return getattr(import_module(module_name(path)), class_name)


def label(folders: tuple[str, ...]) -> str:
    """What the components of these folders are called in a sentence: `method`, `stage`, …"""
    return {"networks": "backbone", "networks.heads": "head"}.get(folders[0], folders[0].rstrip("s"))


def names(folders: tuple[str, ...]) -> list[str]:
    """The names of all components in `folders`, sorted."""
    return sorted(name for name, _, _ in _all(folders))


def find(folders: tuple[str, ...], name: str) -> tuple[Path, str]:
    """The file and class name of a component. Raises UserError, naming the nearest, when there is none."""
    found: list[tuple[Path, str]] = []
    if underscored(name):  # the usual case costs one file: it is named like the component
        paths = (PACKAGE.joinpath(*folder.split("."), f"{name}.py") for folder in folders)
        found = [(path, c) for path in paths if path.is_file() for n, c in components(path) if n == name]
    found = found or [(path, c) for n, path, c in _all(folders) if n == name]
    if not found:
        raise UserError(f"no {label(folders)} is called `{name:.100}`{suggestion(name, names(folders))}")
    if len(found) > 1:
        raise UserError(_twice(folders, name, [path for path, _ in found]))
    return found[0]


def faults() -> Iterator[str]:
    """What is wrong with the components themselves: names given twice or unusable, options that cannot be read."""
    for folders in FOLDERS:
        try:
            found = list(_all(folders))
        except UserError as error:
            yield str(error)
            continue
        for name in sorted({name for name, _, _ in found}):
            files = [path for other, path, _ in found if other == name]
            if len(files) > 1:
                yield _twice(folders, name, files)
        for name, path, class_name in found:
            if not underscored(name):
                yield f"{path}: `{name}` is not usable as the name of a {label(folders)} ({UNDERSCORED})."
            try:
                declared_options(path, class_name)
            except UserError as error:
                yield str(error)


def _twice(folders: tuple[str, ...], name: str, files: list[Path]) -> str:
    return f"Two {label(folders)}s are called `{name}`: {' and '.join(map(str, files))}; rename one."


def _all(folders: tuple[str, ...]) -> Iterator[tuple[str, Path, str]]:
    for folder in folders:
        yield from _in(PACKAGE.joinpath(*folder.split(".")))


@cache
def _in(folder: Path) -> list[tuple[str, Path, str]]:
    """(name, file, class name) of every component in a folder."""
    return [(name, path, own) for path in listed(folder, "*.py") for name, own in components(path)]


@cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SyntaxError as error:
        raise UserError(f"{path}:{error.lineno}: not valid Python: {error.msg}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}.") from None


@cache
def components(path: Path) -> list[tuple[str, str]]:
    """(name, class name) of every component in a file."""
    found = []
    for node in _tree(path).body:
        if isinstance(node, ast.ClassDef) and _nested_options(node):
            own = [s.value for s in node.body if isinstance(s, ast.Assign) and _target(s) == "names"]
            found += [(n, node.name) for n in (ast.literal_eval(own[0]) if own else [path.stem])]
    return found


@cache
def declared_options(path: Path, class_name: str) -> type[Options]:
    """The `Options` class that `class_name` declares in `path`, built from the syntax tree alone."""
    tree = _tree(path)
    owner = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    declaration = _nested_options(owner)
    imports = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
    body = [n for n in imports if n.module in DECLARATIVE]
    namespace: dict[str, Any] = {"__name__": f"{module_name(path)}.{class_name}"}
    for base in _extended(declaration):
        origin = next(n.module for n in imports if n.module and base in {a.name for a in n.names})
        namespace[base] = SimpleNamespace(Options=declared_options(_file(origin), base))
    code = ast.Module([*body, declaration], type_ignores=[])
    try:
        exec(compile(code, str(path), "exec"), namespace)
        options = namespace["Options"]
        options.model_rebuild(_types_namespace=namespace)
    except (NameError, ImportError, AttributeError, TypeError, ValueError, PydanticUserError) as error:
        reason = str(error).partition("\n")[0]
        line = declaration.lineno
        raise UserError(
            f"{path}:{line}: the options of `{class_name}` cannot be read: {reason}; {OUTSIDE}."
        ) from None
    return options


def _nested_options(node: ast.ClassDef) -> Any:
    return next((s for s in node.body if isinstance(s, ast.ClassDef) and s.name == "Options"), None)


def _extended(declaration: ast.ClassDef) -> list[str]:
    """The components whose options these extend: `Train` for `class Options(Train.Options)`."""
    bases = [b for b in declaration.bases if isinstance(b, ast.Attribute) and b.attr == "Options"]
    return [b.value.id for b in bases if isinstance(b.value, ast.Name)]


def _target(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def _file(module: str) -> Path:
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
