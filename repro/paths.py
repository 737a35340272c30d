"""Where things are: the project is the nearest folder upwards with a `recipes/` folder, or the installed one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import platformdirs

from repro.errors import UserError

INSTALLED = Path(__file__).parent


@cache
def project() -> Path:
    """The folder that holds `recipes/`, `papers/`, `results/` and the run folders.

    That is the nearest of the working directory and its parents with a `recipes/` folder; in the absence of
    one, recipes come from the installation and results go to the working directory.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "The working directory is gone; change to another and run the same command again."
        ) from None
    return next((p for p in (here, *here.parents) if (p / "recipes").is_dir()), here)


def recipes_dir() -> Path:
    return _found("recipes")


def papers_dir() -> Path:
    return _found("papers")


def results_dir() -> Path:
    return project() / "results"


def work_dir() -> Path:
    """What is not part of the results, see `runs_dir`. `$REPRO_RUNS`, or `.repro` in the project."""
    given = os.environ.get("REPRO_RUNS")
    return from_home(given) if given else project() / ".repro"


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


def _found(folder: str) -> Path:
    candidates = (project(), INSTALLED.parent, INSTALLED / "bundled")
    return next((c / folder for c in candidates if (c / folder).is_dir()), project() / folder)
