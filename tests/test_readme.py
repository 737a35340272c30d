"""What the README shows is what is there."""

from __future__ import annotations

import re

import pytest

from repro.components import file_of, find, names
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```(?:python|yaml)\n# ((?:repro|recipes)/\S+)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("path", "text"), SHOWN, ids=[path for path, _ in SHOWN])
def test_files_shown_in_the_readme_are_the_files(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text


def test_adding_a_method_takes_less_than_60_lines() -> None:
    added = [text for path, text in SHOWN if "fastsiam" in path]
    assert len(added) == 3
    assert sum(text.count("\n") for text in added) < 60


def test_method_files_are_short() -> None:
    for name in names(("methods",)):
        lines = file_of(find(("methods",), name)).read_text(encoding="utf-8").count("\n")
        assert lines < 80, name
