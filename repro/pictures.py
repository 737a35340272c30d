"""Pictures for people: how every figure is saved, and the plot of curves that most experiments need."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from repro.files import writing

# Okabe and Ito's colour-blind safe set, blue and vermilion first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MEASURED, EXPECTED = COLOURS[:2]
Curve = tuple[Sequence[float], Sequence[float]]
Draw = Callable[..., Any]

log = logging.getLogger(__name__)
_failures: dict[Path, str] = {}


def optional(draw: Draw) -> Draw:
    """For functions that draw, for a run, into the path among their arguments, and return it.

    A picture that cannot be drawn must not cost the run its record: the reason is kept for `failure`.
    """

    @wraps(draw)
    def tried(*arguments: Any, **options: Any) -> Any:
        path = next(value for value in (*arguments, *options.values()) if isinstance(value, Path))
        try:
            return draw(*arguments, **options)
        except Exception as error:  # what a drawing library may raise has no limits
            _failures[path] = f"{type(error).__name__}: {error}"
            log.warning("%s could not be drawn (%s); going on without.", path, _failures[path])
            return path

    return tried


def failure(path: Path) -> str | None:
    """Why there is no picture at `path`, or None when it is there."""
    return None if path.is_file() else _failures.pop(path, "it was not drawn")


def new_figure(width: float, height: float) -> Any:
    """matplotlib's Figure of so many inches, for files alone: what MPLBACKEND says does not matter."""
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # a notebook's would have to be installed here as well
    from matplotlib.figure import Figure  # takes a second to import

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: Path) -> Path:
    """Writes matplotlib's figure as PNG or SVG, alike every time. Raises UserError when the disk refuses."""
    from matplotlib import rc_context

    undated = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "repro"}), writing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=200, **undated)
    return path


@optional
def tiles(path: Path, images: Any, scale: int) -> Path:
    """Writes images (rows, columns, 3, H, W) uint8 side by side, each pixel `scale` times as large, as PNG."""
    from PIL import Image

    rows, columns, _, height, width = images.shape
    sheet = images.transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    picture = Image.fromarray(sheet)
    picture.resize([scale * n for n in picture.size], Image.Resampling.NEAREST).save(path)
    return path


@optional
def plot(
    path: Path,
    curves: Mapping[str, Curve],
    x: str,
    y: str,
    expected: Mapping[str, Curve | float] | None = None,
    log: str = "",
) -> Path:
    """Draws named curves, solid, and what theory says of them, dashed: a curve or a level.

    `x` and `y` label the axes; those in `log` ("x", "y" or "xy") are logarithmic. Returns the path.
    """
    figure = new_figure(6.0, 3.6)
    ax = figure.subplots()
    for (name, (xs, ys)), colour in zip(curves.items(), COLOURS * len(curves), strict=False):
        ax.plot(xs, ys, color=colour, label=name, marker="o" if len(xs) <= 20 else "", markersize=4)
    for (name, value), colour in zip(
        (expected or {}).items(), COLOURS[::-1] * len(expected or {}), strict=False
    ):
        if isinstance(value, tuple):
            ax.plot(*value, "--", color=colour, label=name)
        else:
            ax.axhline(value, linestyle="--", color=colour, label=name)
    ax.set(xlabel=x, ylabel=y, **{f"{axis}scale": "log" for axis in log})
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return save(figure, path)
