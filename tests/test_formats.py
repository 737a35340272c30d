"""What recipes and papers say survives every format: LaTeX compiles it, Markdown and CSV keep it harmless."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from repro.results.formats import csv_text, paragraph, tabular
from repro.results.typeset import typeset
from tests.conftest import ROOT

RULES = "".join(rf"\newcommand{{\{name}rule}}{{\hline}}" for name in ("top", "mid", "bottom"))  # of booktabs
PREAMBLE = rf"\documentclass{{article}}{RULES}\begin{{document}}"


@cache
def characters() -> str:
    """Every character that is not ASCII in a recipe or paper, and those of its accents with a letter before them."""
    files = [*ROOT.glob("recipes/*/*.yaml"), *ROOT.glob("papers/*.yaml")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    marks = set(re.findall(".[\u0300-\u036f\u20d7]", text))
    alone = {c for c in text if ord(c) > 127 and not re.match("[\u0300-\u036f\u20d7]", c)}
    return " ".join(sorted(marks | alone))


def test_every_sign_of_recipes_and_papers_has_a_translation() -> None:
    assert len(characters()) > 100 and "[" not in typeset(characters())


def test_signs_become_mathematics() -> None:
    assert typeset("τ ≥ 10⁻⁴, θ̂ᵀx₁, √½ – Łukasz") == (
        r"$\tau$ $\ge$ 10$^{-}$$^{4}$, $\hat{\theta}$$^{T}$x$_{1}$, $\surd$$\frac{1}{2}$ -- Łukasz"
    )
    assert typeset("漢") == "[cjk unified ideograph-6f22]" and typeset("a_b $ %") == "a_b $ %"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_pdflatex_takes_it(tmp_path: Path) -> None:
    nasty = r"50 % of a_b & c # {d} ~ ^ \e $1 <f>"
    body = [[character, nasty] for character in characters().split(" ")]
    parts = [tabular(("sign", nasty), body[i : i + 20], "latex") for i in range(0, len(body), 20)]
    page = "\n\n".join([PREAMBLE, *parts, paragraph(f"{nasty} {characters()}", "latex"), r"\end{document}"])
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0 and b"Missing character" not in done.stdout, done.stdout[-2000:].decode()


def test_markdown_shows_what_is_in_a_cell_and_does_not_obey_it() -> None:
    cell = "<script>alert(1)</script> a|b `c` *d* [e](f) \\ one\ntwo"
    line = tabular(("x",), [[cell]], "md").splitlines()[-1]
    assert line.strip("| ") == (r"&lt;script>alert(1)&lt;/script> a\|b \`c\` \*d\* \[e\](f) \\ one two")


def test_a_spreadsheet_does_not_obey_a_cell() -> None:
    cells = ["=cmd()", "+1", "-a", "@b", "\tc", "plain", -1.5, None, 0]
    read = next(csv.reader(io.StringIO(csv_text(cells, [])), strict=True))
    assert read == ["=cmd()", "+1", "-a", "@b", "\tc", "plain", "-1.5", "", "0"]  # a header is our own
    (_, row) = csv.reader(io.StringIO(csv_text(["x"] * len(cells), [cells])))
    assert row == ["'=cmd()", "'+1", "'-a", "'@b", "'\tc", "plain", "-1.5", "", "0"]
