"""Finds methods, stages, experiments, networks and other components by name, and their options without torch.

A component is a class with `Options` in a file of its kind's folder, or of a folder in there; its name is the file's
name, or one of the options' `names` where a file holds a family. There is no registry: new files are enough.

Checking a recipe needs only the options, and importing torch takes seconds. So the options of the class `SupCon` in
`supcon.py` are the class `SupConOptions` in `supcon_options.py`, whose imports are light, and `SupCon` says
`Options = SupConOptions`. Outside this package, one file with both will do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic.errors import PydanticUserError
from pydantic_core import PydanticCustomError

from repro import modules
from repro.errors import UserError, readable, suggestion
from repro.files import listed
from repro.names import UNDERSCORED, underscored
from repro.options.base import ComponentOptions

# The folders of each kind of component -> what one of them is called in a sentence.
FOLDERS = {
    ("methods",): "method",
    ("stages", "experiments"): "stage",
    ("networks",): "backbone",
    ("networks.heads",): "head",
    ("views.kinds",): "kind of view",
    ("data.samplers",): "sampler",
    ("data.slices",): "slice",
    ("measures",): "measure",
    ("engine.optimizers",): "optimizer",
    ("engine.schedules",): "schedule",
}
SUFFIX = "_options"
Declared = type[ComponentOptions]


def options_for(folders: tuple[str, ...], key: str, value: Any) -> ComponentOptions:
    """The options object for `value`, a mapping whose entry `key` names a component in one of `folders`.

    Raises pydantic's errors, located inside `value`, for a missing or unknown name or bad options.
    """
    if not isinstance(value, dict) or not isinstance(value.get(key), str):
        raise PydanticCustomError("no_component", f"Needs `{key}:`, the name of a {label(folders)}", {})
    try:
        declared = find(folders, value[key])
    except UserError as error:
        raise PydanticCustomError("unknown_component", "{message}", {"message": str(error)}) from None
    return declared.model_validate(value)


def load(folders: tuple[str, ...], name: str) -> Any:
    """The component's class itself (this imports its file, and with it torch)."""
    options = find(folders, name)
    module, class_name = owner(options)
    found = getattr(modules.imported(module), class_name, None)
    if getattr(found, "Options", None) is not options:
        needed = f"a class `{class_name}` with `Options = {options.__name__}`"
        raise UserError(f"{modules.file_of(module)}: the {label(folders)} `{name}` needs {needed}.")
    return found


def owner(options: Declared) -> tuple[str, str]:
    """Module and name of the class that these options belong to: the names say it, so nothing is imported."""
    name = options.__qualname__.removesuffix("Options").removesuffix(".")
    return options.__module__.removesuffix(SUFFIX), name


def file_of(options: Declared) -> Path:
    """The file of the class that these options belong to."""
    return modules.file_of(owner(options)[0])


def label(folders: tuple[str, ...]) -> str:
    """What the components of these folders are called in a sentence: `method`, `stage`, …"""
    return next(called for known, called in FOLDERS.items() if folders[0] in known)


def names(folders: tuple[str, ...]) -> list[str]:
    """The names of all components in `folders`, sorted."""
    return sorted(name for name, _ in _all(folders))


def find(folders: tuple[str, ...], name: str) -> Declared:
    """The options of a component. Raises UserError, naming the nearest, when there is none, or more than one."""
    alike = [path for path in _files(folders) if path.stem == name]
    # The usual case costs one file: it is named like the component.
    found = [options for path in alike for called, options in _declared(path) if called == name]
    found = found or [options for called, options in _all(folders) if called == name]
    if len(found) > 1:
        raise UserError(_twice(folders, name, found))
    if not found:
        empty = f" ({alike[0]} declares no options of its own)" if alike else ""
        near = suggestion(name, names(folders))
        raise UserError(f"no {label(folders)} is called `{name:.100}`{empty}{near}")
    return found[0]


def faults() -> Iterator[str]:
    """What is wrong with the components themselves: names given twice or unusable, options that cannot be read."""
    yield from modules.unusable()
    for folders in FOLDERS:
        yield from map(str, _readable(folders)[1])
        found = _all(folders)
        for name in sorted({name for name, _ in found}):
            alike = [options for other, options in found if other == name]
            if len(alike) > 1:
                yield _twice(folders, name, alike)
            if not underscored(name):
                file = file_of(alike[0])
                yield f"{file}: `{name}` is not usable as the name of a {label(folders)} ({UNDERSCORED})."


def _twice(folders: tuple[str, ...], name: str, found: list[Declared]) -> str:
    files = " and ".join(str(file_of(options)) for options in found)
    return f"Two {label(folders)}s are called `{name}`: {files}; rename one."


def _all(folders: tuple[str, ...]) -> list[tuple[str, Declared]]:
    """(name, options) of every component in these folders, but for those of files that cannot be read."""
    return [one for declared in _readable(folders)[0] for one in declared]


def _readable(folders: tuple[str, ...]) -> tuple[list[list[tuple[str, Declared]]], list[UserError]]:
    return readable(lambda path: _declared(Path(path)), map(str, _files(folders)))


def _files(folders: tuple[str, ...]) -> list[Path]:
    """The files that hold these components, or may do so."""
    tops = [
        (folder, root.joinpath(*folder.split("."))) for folder in folders for root in modules.roots().values()
    ]
    return [path for folder, top in tops for path in _below(folder, top)]


@cache
def _below(folder: str, top: Path) -> list[Path]:
    """Such files in one folder, and in all that are in it and not the folders of another kind."""
    others = {f.removeprefix(f"{folder}.") for known in FOLDERS for f in known if f.startswith(f"{folder}.")}
    within = top.is_relative_to(modules.PACKAGE)
    found = []
    for path in listed(top, "**/*.py"):
        parts = path.relative_to(top).parts
        hidden = any(part.startswith("_") for part in parts) or path.stem.endswith(SUFFIX)
        if not hidden and parts[0] not in others and (not within or _beside(path).is_file()):
            found.append(path)
    return found


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}{SUFFIX}.py")


@cache
def _declared(path: Path) -> list[tuple[str, Declared]]:
    """(name, options) of every component in a file. Raises UserError, with file and line, for what cannot be read."""
    module = modules.imported(modules.name_of(_beside(path) if _beside(path).is_file() else path))
    found = list(dict.fromkeys(_options_in(module)))
    for options in found:
        try:
            options.model_rebuild()
        except (NameError, PydanticUserError) as error:
            line, reason = inspect.getsourcelines(options)[1], str(error).partition("\n")[0]
            fault = f"the options `{options.__qualname__}` cannot be read: {reason}"
            raise UserError(f"{module.__file__}:{line}: {fault}.") from None
    return [(name, options) for options in found for name in vars(options).get("names", (path.stem,))]


def _options_in(module: ModuleType) -> Iterator[Declared]:
    """The options that a module declares, at its top or in a class."""
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_"):
            options = vars(value).get("Options", value)
            own = isinstance(options, type) and options.__module__ == module.__name__
            if own and issubclass(options, ComponentOptions):
                yield options
