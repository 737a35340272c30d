"""Tables and sentences in the formats that results are shown in."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from textwrap import fill
from typing import Any

from tabulate import LATEX_ESCAPE_RULES, tabulate

from repro.results.typeset import typeset

FORMATS = {"text": "simple", "md": "github", "latex": "latex_booktabs", "html": "html"}
_UNITS = ((24 * 60, "days"), (60, "h"))
_MARKDOWN = {**{c: f"\\{c}" for c in "\\`*[]|"}, "<": "&lt;", "\n": " "}


def tabular(
    header: Sequence[str], body: Sequence[Sequence[str]], format: str, widths: Sequence[int | None] = ()
) -> str:
    """A table of text cells; in plain text, columns are wrapped at `widths`."""
    if format == "md":
        body = [[_replaced(cell, _MARKDOWN) for cell in row] for row in body]
    if widths and format == "text":  # tabulate's own wrapping fails on a cell such as "100,000"
        body = [[fill(cell, w) if w else cell for cell, w in zip(row, widths, strict=True)] for row in body]
    table = tabulate(body, headers=header, tablefmt=FORMATS[format], disable_numparse=True)
    return typeset(table) if format == "latex" else table


def paragraph(sentence: str, format: str) -> str:
    """A sentence that stands between tables."""
    if format == "html":
        return f"<p>{escape(sentence)}</p>"
    return typeset(_replaced(sentence, LATEX_ESCAPE_RULES)) if format == "latex" else sentence


def csv_text(header: Sequence[str], body: Sequence[Sequence[Any]]) -> str:
    """Comma-separated values, numbers in full precision, None as an empty field.

    Text that a spreadsheet would take for a formula follows an apostrophe.
    """
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(
        [header, *([_inert(cell) for cell in row] for row in body)]
    )
    return file.getvalue().rstrip("\n")


def number(value: float, resolution: float | None = None) -> str:
    """`value` with two decimal places more than `resolution`, a margin or a standard deviation, needs."""
    if not resolution:
        return f"{value:.6g}"
    return f"{value:.{max(0, 2 - math.ceil(math.log10(resolution)))}f}"


def duration(minutes: float) -> str:
    """A rough time for people: seconds, minutes, hours or days."""
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    size, unit = next(((size, unit) for size, unit in _UNITS if minutes >= 2 * size), (1, "min"))
    return f"{minutes / size:.0f} {unit}"


def _replaced(text: str, by: Mapping[str, str]) -> str:
    return "".join(by.get(character, character) for character in text)


def _inert(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
