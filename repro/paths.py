"""Where things are: a project is a folder with `recipes/`; what comes with the program is used beside its own."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path

import platformdirs

from repro.errors import UserError

INSTALLED = Path(__file__).parent
OWN = ("recipes", "papers", "components")
NAME = "repro-recipes"  # the name in this project's pyproject.toml


@cache
def project() -> Path | None:
    """The folder that holds `recipes/`, `papers/`, `components/`, `results/` and the run folders.

    That is the nearest of the working directory and its parents with a `recipes/` folder, if there is one.
    """
    return next((p for p in (here(), *here().parents) if (p / "recipes").is_dir()), None)


def the_project(what: str, otherwise: str = "") -> Path:
    """The project, for `what` belongs there. Raises UserError when there is none; `otherwise`: what else to do."""
    if found := project():
        return found
    raise UserError(
        f"{here()} is in no project (a folder with `recipes/`), which {what} would belong to: go to one, or start "
        f"one here with `repro new`{otherwise}."
    )


def here() -> Path:
    """The working directory."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "The working directory is gone; change to another and run the same command again."
        ) from None


def bundled() -> Path | None:
    """The folder with the `recipes/` and `papers/` that came with the program.

    None in a checkout of them, even if the program is installed from elsewhere: those there are the collection.
    """
    if _is_checkout(project()):
        return None
    packed = INSTALLED / "bundled"
    return packed if packed.is_dir() else INSTALLED.parent


def folders(name: str) -> list[Path]:
    """The folders of that name, `recipes` or `papers`: the project's own, and what came with the program."""
    return [place / name for place in (project(), bundled()) if place]


def ours(file: Path) -> bool:
    """Whether the file is the project's own, and did not come with the program (which may be below the project)."""
    own = project()
    return own is not None and any(file.is_relative_to(own / part) for part in OWN)


def results_dir() -> Path:
    """Where records are: `results/` in the project, or in the working directory, where nothing makes it unasked."""
    return (project() or here()) / "results"


def work_dir() -> Path:
    """What is not part of the results, see `runs_dir`: `$REPRO_RUNS`, or `.repro` in the project.

    Outside of projects it is the user's folder for such things.
    """
    if given := os.environ.get("REPRO_RUNS"):
        return from_home(given)
    own = project()
    return own / ".repro" if own else Path(platformdirs.user_state_dir("repro"))


def runs_dir() -> Path:
    """Unfinished and smoke runs: checkpoints, logs, pictures."""
    return work_dir() / "runs"


def cache_dir() -> Path:
    """Decoded data and parsed files; safe to delete. `$REPRO_CACHE`, or the user's cache folder."""
    return from_home(os.environ.get("REPRO_CACHE") or platformdirs.user_cache_dir("repro"))


def from_home(text: str) -> Path:
    """A path that a user gives, `~` and `~name` replaced. Raises UserError when there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"`{text}`: there is no user of that name, so that `~` means nothing here.") from None


@cache
def _is_checkout(folder: Path | None) -> bool:
    """Whether the folder is a checkout of this project."""
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8") if folder else ""
        return bool(tomllib.loads(text)["project"]["name"] == NAME)
    except (OSError, ValueError, KeyError, TypeError):
        return False
