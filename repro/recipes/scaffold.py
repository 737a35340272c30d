"""The start of a new recipe: a commented file, filled in from the paper's file as far as that goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from repro import paths
from repro.components import options_for
from repro.data.declare import names as dataset_names
from repro.errors import UserError
from repro.names import HYPHENATED, hyphenated
from repro.options import Views
from repro.papers.load import paper as load_paper
from repro.papers.load import slugs
from repro.papers.schema import Paper
from repro.recipes.find import file_of, files, unusable
from repro.recipes.inherit import NOT_INHERITED


def start(recipe: str, paper: str | None, extends: str | None, family: str | None) -> list[Path]:
    """Writes recipes/<family>/<recipe>.yaml, and papers/<paper>.yaml if that is new. Returns what was written.

    Where there is no project, the working directory becomes one. Raises UserError when the id is taken or malformed;
    nothing is overwritten.
    """
    for word in (recipe, paper, family):
        if word is not None and not hyphenated(word):
            raise UserError(f"`{word:.100}` is not usable as a name; use {HYPHENATED}.")
    if recipe in files() or recipe in unusable():
        raise UserError(f"Recipe `{recipe}` exists already: {file_of(recipe)}.")
    if not paper and not extends:
        raise UserError("Name the paper with --paper, or the recipe to start from with --extends.")
    known = load_paper(paper) if paper and paper in slugs() else None
    family = family or (file_of(extends).parent.name if extends else known.family if known else "other")
    written, project = [], paths.project() or paths.here()
    if paper and not known:
        written.append(_write(project / "papers" / f"{paper}.yaml", _paper_text(paper, family)))
    text = _child(recipe, paper, extends) if extends else _whole(recipe, str(paper), known)
    path = project / "recipes" / family / f"{recipe}.yaml"
    return [*written, _write(path, text + _expected(recipe, known))]


def _write(path: Path, text: str) -> Path:
    if path.exists():
        raise UserError(f"{path} exists already; nothing was written.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def _dataset(recipe: str) -> str:
    """The data set that the id names: the longest known name among its parts."""
    parts = recipe.replace("-", "_")
    return max((d for d in dataset_names() if f"_{d}_" in f"_{parts}_"), key=len, default="cifar10")


def _child(recipe: str, paper: str | None, extends: str) -> str:
    source = f"paper: {paper}\n" if paper else ""
    return f"""\
# Only what differs from {extends}; {", ".join(NOT_INHERITED)} are not inherited.
extends: {extends}
{source}title: {recipe}

# stages:
#   pretrain: {{epochs: 200}}
"""


def _whole(recipe: str, slug: str, paper: Paper | None) -> str:
    protocol = paper.protocol.settings if paper and paper.protocol else {}

    def setting(name: str, default: float) -> str:
        value = protocol.get(name)
        return f"{value if isinstance(value, int | float) and value > 0 else default:g}"

    epochs = _whole_number(setting("epochs", 200))
    return f"""\
# Say here where the settings come from: the paper's section, the official repository at a commit.
{_protocol(paper)}paper: {slug}
title: {recipe}
tier: gpu                    # cpu: about two hours on two cores; gpu: about a day on one GPU; cluster: more
dataset: {_dataset(recipe)}           # `repro data list`
seeds: [0, 1, 2]

stages:
  pretrain:
    kind: train
    method: {{name: {_method(paper)}}}     # a file of repro/methods/, with its options
    network: {{backbone: resnet18, stem: cifar, head: {{kind: mlp, hidden: 512, out: 128}}}}
    views: {{policy: simclr-cifar, count: 2}}      # a file of repro/views/policies/
    epochs: {epochs}
    batch: {{size: {_whole_number(setting("batch_size", 512))}}}
    optimizer: {{name: sgd, lr: {setting("lr", 0.06)}, momentum: 0.9, weight_decay: {setting("weight_decay", 5e-4)}}}
    schedule: {{name: cosine, warmup_epochs: {min(10, epochs - 1)}}}
  probe:
    kind: linear_probe
    of: pretrain
    views: {{policy: crop-flip}}
    epochs: 100
    batch: {{size: 512}}
    optimizer: {{name: sgd, lr: 1.0, momentum: 0.9}}
    schedule: {{name: cosine}}

# Every known difference between the paper's experiment and this one:
# deviations:
#   - {{what: precision, paper: fp32, here: bf16 autocast, why: speed}}
"""


def _method(paper: Paper | None) -> str:
    """The paper's method where two views and its defaults will do; else SimCLR, to be replaced."""
    name = (paper.method or "").lower() if paper else ""
    try:
        found: Any = options_for(("methods",), "name", {"name": name})
        found.check(Views(count=2))
    except ValueError:  # no such method, or one that needs more
        return "simclr"
    return name


def _protocol(paper: Paper | None) -> str:
    """What the paper's file knows of its settings, as comments to work from."""
    if not paper or not paper.protocol:
        return ""
    lines = [f"#   {name}: {' '.join(str(value).split())}" for name, value in paper.protocol.settings.items()]
    return "\n".join([f"# The paper's protocol (evidence `{paper.protocol.evidence}`):", *lines, ""])


def _whole_number(text: str) -> int:
    return max(1, round(float(text)))


def _expected(recipe: str, paper: Paper | None) -> str:
    """The paper's numbers as comments, each ready to be used."""
    text = "\n# What the paper reports. A value must stand in the paper's file with the same unit and evidence.\n"
    text += "expected: []\n"
    for r in paper.reported if paper else ():
        text += f"# {r.dataset}, {r.metric}{f', {r.setting}' if r.setting else ''}:\n"
        source = f"{{where: {_quoted(r.where)}, evidence: {r.evidence}}}"
        text += f'#   - {{metric: probe.top1, value: {r.value:g}, unit: "{r.unit}", delta: 1.0, source: {source}}}\n'
    return text


def _quoted(text: str | None) -> str:
    return '"' + (text or "unknown").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _paper_text(slug: str, family: str) -> str:
    year = re.search(r"(19|20)\d\d", slug)
    return f"""\
slug: {slug}
title: "{slug}"              # the paper's title
authors: [unknown]
year: {year.group() if year else 2026}
kind: method                 # method, analysis, theory, survey, system, dataset
modality: image
family: {family}
idea: The idea in one sentence.
tier: gpu
tier_why: What its experiments need.
reported: []                 # every number with dataset, metric, value, unit, where, evidence
data: {{names: [], access: hub}}
"""
