"""The table of results as a picture: one panel per metric, one line per recipe, the largest mean on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repro import pictures
from repro.errors import UserError
from repro.pictures import EXPECTED, MEASURED
from repro.results.rows import Row

HOLLOW = {"markerfacecolor": "none", "markeredgecolor": EXPECTED, "markersize": 7, "zorder": 3}
MARKS = {"equals": ("D", "expected"), "at_least": (">", "expected at least"), "at_most": ("<", "at most")}
MOST = 60  # panels: more are no picture to look at, and laying them out takes minutes
WIDTH, LINE, FRAME = 7.0, 0.26, 0.75  # inches: the picture, a recipe, and what is around a panel
Panels = Mapping[str, Mapping[str, Sequence[Row]]]


def save(rows: Sequence[Row], path: Path) -> int:
    """Writes the picture and returns how many means it shows.

    Raises UserError when there are none, when there are too many metrics, or when there can be no file.
    """
    if path.suffix not in (".png", ".svg"):
        raise UserError(f"{path}: a plot is a .png or an .svg file.")
    panels = by_metric(rows)
    if not panels:
        raise UserError("None of these results is measured, so there is nothing to plot.")
    if len(panels) > MOST:
        raise UserError(
            f"These results are of {len(panels)} metrics, and a plot has room for {MOST}: choose with --metric, "
            "--family, --dataset or --paper."
        )
    pictures.save(figure(panels), path)
    return sum(map(len, panels.values()))


def by_metric(rows: Sequence[Row]) -> Panels:
    """Metric -> recipe, by rising mean -> its rows, one for each expected number; those with comparable runs."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda r: r.mean or 0.0):
        if row.mean is not None and row.verdict != "not comparable":
            found.setdefault(row.metric, {}).setdefault(row.recipe, []).append(row)
    return dict(sorted(found.items()))


def figure(panels: Panels) -> Any:
    """matplotlib's Figure: a dot for the mean with its 90 % interval, hollow marks for what is expected."""
    heights = [LINE * len(recipes) + FRAME for recipes in panels.values()]
    picture = pictures.new_figure(WIDTH, sum(heights) + LINE)
    axes = picture.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    legend: dict[str, Any] = {}
    for ax, (metric, recipes) in zip(axes, panels.items(), strict=True):
        for y, shown in enumerate(recipes.values()):
            _line(ax, y, shown)
        unit = next((row.unit for shown in recipes.values() for row in shown if row.unit), "")
        ax.set(xlabel=f"{metric} [{unit}]" if unit else metric, ylim=(-0.6, len(recipes) - 0.4))
        ax.set_yticks(range(len(recipes)), list(recipes))
        ax.grid(axis="y", color="0.9")
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        legend |= {name: handle for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    picture.legend(legend.values(), legend.keys(), loc="outside upper center", frameon=False, ncols=5)
    return picture


def _line(ax: Any, y: int, shown: Sequence[Row]) -> None:
    row = shown[0]
    ax.plot([row.mean], [y], "o", color=MEASURED, markersize=5, label="mean over seeds")
    if row.low is not None:
        ax.plot([row.low, row.high], [y, y], color=MEASURED, linewidth=1.6, label="90 % interval")
    for claim in shown:
        if claim.relation in MARKS:
            marker, name = MARKS[claim.relation]
            ax.plot([claim.expected], [y], marker, label=name, **HOLLOW)
