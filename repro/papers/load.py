"""From a file to a paper."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from repro import paths
from repro.cache import Remembered
from repro.errors import UserError, readable, suggestion
from repro.files import by_name, only
from repro.papers.schema import Paper
from repro.recipes import yaml
from repro.recipes.problems import InvalidFile, locate, problems_of

_read = Remembered("papers", yaml.read)


def slugs() -> tuple[str, ...]:
    """The slugs of all papers, sorted; they are the names of the files."""
    return tuple(files())


def file_of(slug: str) -> Path:
    """The paper's file. Raises UserError, naming the nearest slug, when there is none, or more than one."""
    known = files()
    if slug not in known:
        hint = suggestion(slug, known) or "; `repro papers` lists all"
        raise UserError(f"No paper `{slug:.100}`{hint}")
    return only("paper", known[slug])


def paper(slug: str) -> Paper:
    """The validated paper. Raises InvalidFile with every problem of the file, or UserError when it has none."""
    return _paper(file_of(slug))


def every() -> tuple[list[Paper], list[UserError]]:
    """All valid papers in the order of their slugs; and what is wrong with each of the others."""
    return readable(paper, slugs())


def _paper(path: Path) -> Paper:
    try:
        found = Paper.model_validate(_read(path))
    except ValidationError as error:
        raise InvalidFile(problems_of(error, [path])) from None
    if found.slug != path.stem:
        raise InvalidFile([locate(("slug",), f"must be the file's name, `{path.stem}`", [path])])
    return found


def files() -> dict[str, list[Path]]:
    """Slug -> the files of that name, the project's own and those that came along."""
    return _below(tuple(paths.folders("papers")))


@cache
def _below(folders: tuple[Path, ...]) -> dict[str, list[Path]]:
    return by_name(folders, "*.yaml")
