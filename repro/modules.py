"""Where the code of components is: in this package, in installed ones, and in the project's folder `components/`.

All are laid out in the same way: `methods/`, `networks/heads/`, `stages/`, … An installed package names itself in the
entry point group `repro.components`. The project's files are modules of the package `components`, which exists only
here: nothing is put on Python's path.
"""

from __future__ import annotations

import sys
import traceback
from functools import cache
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from repro import paths
from repro.errors import UserError

PACKAGE = Path(__file__).parent
OWN = "components"
GROUP = "repro.components"


def roots() -> dict[str, Path]:
    """Package -> its folder, for each that has components."""
    found = {"repro": PACKAGE, **_installed()[0]}
    project = paths.project()  # elsewhere, anybody may have a folder of that name
    if project and (project / OWN).is_dir():
        found[OWN] = project / OWN
    return found


def beside(folder: str) -> list[Path]:
    """The folders of that name, such as `data/sets`, of the project and of installed packages but this one."""
    return [root / folder for root in roots().values() if root != PACKAGE]


def unusable() -> list[str]:
    """What is wrong with installed packages that say that they have components."""
    return _installed()[1]


@cache
def _installed() -> tuple[dict[str, Path], list[str]]:
    found, wrong = {}, []
    for point in entry_points(group=GROUP):
        try:
            spec = find_spec(point.value)
            found[point.value] = Path(next(iter((spec and spec.submodule_search_locations) or ())))
        except (ImportError, StopIteration, ValueError):
            by = f", which {point.dist.name} names" if point.dist else ""
            wrong.append(
                f"The entry point `{point.name}` of {GROUP}{by}: there is no package `{point.value}`."
            )
    return found, wrong


def name_of(path: Path) -> str:
    """The name of the module that a file in one of the roots is."""
    package, root = next((p, root) for p, root in roots().items() if path.is_relative_to(root))
    return ".".join([package, *path.relative_to(root).with_suffix("").parts])


def package_of(module: str) -> str:
    """The package of components that the module is in, or an empty string."""
    return next((package for package in roots() if f"{module}.".startswith(f"{package}.")), "")


def parts_of(module: str) -> list[str]:
    """The module's name within its root: ["methods", "supcon"]; empty if it is in none."""
    package = package_of(module)
    return module.removeprefix(package).split(".")[1:] if package else []


def file_of(module: str) -> Path:
    """The file of a module in one of the roots, or its package's `__init__.py`; it need not exist."""
    path = roots()[package_of(module)].joinpath(*parts_of(module))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(module: str) -> ModuleType:
    """The module. Raises UserError, naming file and line, when that fails."""
    if module.startswith(f"{OWN}.") and OWN in roots():
        _own_package(roots()[OWN])
    try:
        return import_module(module)
    except Exception as error:
        raise UserError(f"{_where(error, module)}: {_what(error)}.") from error


def function(place: str) -> Any:
    """The function at `module:name`. Raises UserError when there is none."""
    module, _, name = place.partition(":")
    found = getattr(imported(module), name, None)
    if found is None:
        raise UserError(f"`{place}`: the module {module} has no function `{name}`.")
    return found


def _own_package(folder: Path) -> None:
    """Makes the project's folder a package, in the place of another project's."""
    known = sys.modules.get(OWN)
    if known is not None and [*getattr(known, "__path__", ())] == [str(folder)]:
        return
    for name in [n for n in sys.modules if f"{n}.".startswith(f"{OWN}.")]:
        del sys.modules[name]
    spec = ModuleSpec(OWN, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[OWN] = module_from_spec(spec)
    invalidate_caches()


def _where(error: Exception, module: str) -> str:
    """File and line of what is at fault: the last line that ran in the root of the module."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    if not package_of(module):
        return module
    root = roots()[package_of(module)]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename != __file__ and Path(f.filename).is_relative_to(root)]
    return f"{ours[-1].filename}:{ours[-1].lineno}" if ours else str(file_of(module))


def _what(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"not valid Python: {error.msg}"
    first = str(error).partition("\n")[0].rstrip(".")
    return f"cannot be imported: {type(error).__name__}{f': {first}' * bool(first)}"
