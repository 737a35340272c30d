"""Shared fixtures: a project of one's own, and the environment that tests run in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from repro import paths
from repro.cli import cli
from repro.data import declare
from repro.recipes import load

ROOT = Path(__file__).parents[1]
Write = Callable[[str, str], Path]
torch.set_num_threads(1)
# Other work on the machine must not make a property test fail.
settings.register_profile("repro", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repro")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor write the user's cache, unless one is given for them."""
    if "REPRO_CACHE" not in os.environ:
        os.environ["REPRO_CACHE"] = str(tmp_path_factory.getbasetemp().parent / "repro-cache")
    yield


class ByFile(LoadScopeScheduling):
    """Files share fixtures, so each goes to one worker; smoke runs share nothing and fill the gaps."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file.endswith("test_smoke.py") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def own_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty $REPRO_DATA, cache and hub cache, and no declared sets, all below `folder`."""
    monkeypatch.setattr(declare, "SETS", folder / "sets")
    monkeypatch.setenv("REPRO_DATA", str(folder / "data"))
    monkeypatch.setenv("REPRO_CACHE", str(folder / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(folder / "hub"))
    (folder / "sets").mkdir()


def forget() -> None:
    """Drops what is remembered of the project's files."""
    paths.project.cache_clear()
    load.files.cache_clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project that is the working directory; papers and data sets are those of this checkout.

    It says that it is a checkout itself, so that no other recipes are beside its own.
    """
    (tmp_path / "recipes" / "tests").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(f'project.name = "{paths.NAME}"\n')
    (tmp_path / "papers").symlink_to(ROOT / "papers")
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path
    forget()


@pytest.fixture
def write_recipe(project: Path) -> Write:
    """Writes recipes/tests/<id>.yaml into the project."""

    def write(recipe_id: str, text: str) -> Path:
        path = project / "recipes" / "tests" / f"{recipe_id}.yaml"
        path.write_text(text, encoding="utf-8")
        load.files.cache_clear()
        return path

    return write


def invoke(*arguments: str) -> Result:
    """The command line in this process, for what needs torch: it is loaded already."""
    return CliRunner().invoke(cli, arguments)


def repro(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "repro", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
