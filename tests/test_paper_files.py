"""Paper files: each is valid and survives a round trip, mistakes are told with their line, closed forms hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml as pyyaml
from scipy.optimize import minimize
from torch.nn.functional import normalize

from repro.papers.load import paper, slugs
from repro.papers.schema import Paper
from repro.recipes import load, yaml
from repro.recipes.problems import InvalidFile
from tests.conftest import ROOT, forget

GOOD = """\
slug: doe2021-it
title: "It: A Study"
authors: [Jane Doe]
year: 2021
venue: ICML 2021
arxiv: "2101.00001"
lists: [notes]
kind: method
modality: image
family: contrastive
idea: It does it.
tier: cpu
tier_why: it is small
reported:
  - dataset: CIFAR-10
    metric: accuracy
    value: 90
    unit: "%"
    evidence: paper
protocol:
  evidence: code
  settings: {lr: 1e-3, sizes: [1, 2], note: "on", clip: false}
code: doe/it
data: {names: [CIFAR-10], access: hub}
recipes: [it-cifar10]
"""


@pytest.fixture(scope="module")
def papers() -> dict[str, Paper]:
    forget()
    return {slug: paper(slug) for slug in slugs()}


@pytest.fixture
def complaints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """What is said about a paper file with this text, file names shortened."""

    def said(text: str) -> list[str]:
        (tmp_path / "papers" / "doe2021-it.yaml").write_text(text, encoding="utf-8")
        try:
            paper("doe2021-it")
        except InvalidFile as error:
            return [str(p).replace(str(p.file), p.file.name) for p in error.problems]
        return []

    (tmp_path / "recipes").mkdir()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "doe2021-it.yaml").touch()
    monkeypatch.chdir(tmp_path)
    forget()
    yield said
    forget()


def test_every_file_is_valid(papers: dict[str, Paper]) -> None:
    assert set(papers) == {path.stem for path in (ROOT / "papers").glob("*.yaml")}
    assert len(papers) > 400


def test_every_file_survives_a_round_trip(papers: dict[str, Paper]) -> None:
    dumper = getattr(pyyaml, "CSafeDumper", pyyaml.SafeDumper)
    for before in papers.values():
        facts = before.model_dump(mode="json", exclude_none=True)
        assert Paper.model_validate(facts) == before
        text = pyyaml.dump(facts, Dumper=dumper, allow_unicode=True, sort_keys=False)
        assert Paper.model_validate(yaml.parse(text)) == before


def test_nothing_is_on_file_twice(papers: dict[str, Paper]) -> None:
    titles = [re.sub(r"\W+", "", p.title).lower() for p in papers.values()]
    identifiers = [p.arxiv for p in papers.values() if p.arxiv]
    planned = [r for p in papers.values() for r in p.recipes]
    for things in (titles, identifiers, planned):
        assert [thing for thing, count in Counter(things).items() if count > 1] == []
    for p in papers.values():
        numbers = [(r.dataset, r.metric, r.setting, r.value, r.bound) for r in p.reported]
        assert len(numbers) == len(set(numbers)), p.slug


def test_an_arxiv_identifier_is_of_about_the_paper_s_year(papers: dict[str, Paper]) -> None:
    for p in papers.values():
        if p.arxiv:
            assert -1 <= 2000 + int(p.arxiv[:2]) - p.year <= 2, (p.slug, p.arxiv)


def test_a_planned_recipe_that_exists_is_of_the_paper_that_plans_it(papers: dict[str, Paper]) -> None:
    planned = {recipe: p.slug for p in papers.values() for recipe in p.recipes}
    for recipe_id in load.ids():
        owner = load.merged(recipe_id)[0]["paper"]
        assert owner in papers, recipe_id
        assert planned.get(recipe_id, owner) == owner, recipe_id


def test_what_is_not_faithful_on_two_cores_makes_no_claim_of_the_paper(papers: dict[str, Paper]) -> None:
    for recipe in map(load.load, load.ids()):
        target = papers[recipe.paper].cpu_target
        if recipe.tier == "cpu" and recipe.claim == "paper" and target and target.faithful is False:
            assert any(d.disqualifies for d in recipe.deviations), recipe.id


def test_a_good_file_is_read_as_it_stands(complaints: Callable[[str], list[str]]) -> None:
    assert complaints(GOOD) == []
    found = paper("doe2021-it")
    assert found.protocol and found.protocol.settings == {
        "lr": 0.001, "sizes": [1, 2], "note": "on", "clip": False
    }  # fmt: skip
    assert found.reported[0].value == 90.0 and found.reported[0].better == "higher"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("modality", "modalty", 9, ["unknown key", "did you mean `modality`?"]),
        ('unit: "%"', 'units: "%"', 18, ["unknown key", "did you mean `unit`?"]),
        ("value: 90", "value: ninety", 17, ["reported.0.value", "number", "'ninety'"]),
        ("evidence: paper", "evidence: hearsay", 19, ["'paper'", "'memory'"]),
        ("evidence: paper", "evidence: derived", 15, ["`derivation:`"]),
        ("evidence: paper", "evidence: web", 15, ["`web` needs `ref:`"]),
        ("kind: method", "kind: methods", 8, ["'method'"]),
        ("tier: cpu", "tier: laptop", 12, ["'closed'"]),
        ("slug: doe2021-it", "slug: doe2021-them", 1, ["slug", "`doe2021-it`"]),
        ("year: 2021", "year: 2012", 1, ["the year in the slug"]),
        ('"2101.00001"', '"2113.00001"', 6, ["not an arXiv identifier"]),
        ('"2101.00001"', '"2101.0001"', 6, ["is not an arXiv identifier"]),
        ('"2101.00001"', "2101.00001", 6, ["arxiv", "string"]),
        ("[it-cifar10]", "[it_cifar10]", 25, ["recipes.0", "single hyphens"]),
        ("[it-cifar10]", "[it-cifar10, it-cifar10]", 1, ["`recipes` names it-cifar10 twice"]),
        ("code: doe/it", "code: https://github.com/doe/it", 23, ["code", "`owner/name`"]),
        ("sizes: [1, 2]", "sizes: {a: 1}", 22, ["`sizes` needs a text, a number"]),
        ("idea: It does it.\n", "", 1, ["idea: is missing"]),
    ],
)
def test_each_mistake_is_told_with_its_line(
    complaints: Callable[[str], list[str]], old: str, new: str, line: int, words: list[str]
) -> None:
    (complaint,) = complaints(GOOD.replace(old, new, 1))
    assert complaint.startswith(f"doe2021-it.yaml:{line}: "), complaint
    assert all(word in complaint for word in words), complaint


def test_all_problems_are_told_at_once(complaints: Callable[[str], list[str]]) -> None:
    text = (
        GOOD.replace("modality", "modalty").replace("value: 90", "value: x").replace("tier: cpu", "tier: x")
    )
    assert sorted(c.split(":")[1] for c in complaints(text)) == ["12", "17", "9"]


def derived(found: Paper, metric: str, setting: str | None = None) -> float:
    """The one derived number of the paper whose metric and setting start like this."""
    (value,) = (
        r.value
        for r in found.reported
        if r.evidence == "derived"
        and r.metric.startswith(metric)
        and (r.setting or "").startswith(setting or "")
    )
    return value


def minimised(loss: Callable[[torch.Tensor], torch.Tensor], size: int) -> tuple[float, torch.Tensor]:
    """The least loss found from a random start, and where."""

    def value_and_gradient(at: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.tensor(at, requires_grad=True)
        value = loss(x)
        value.backward()
        return value.item(), x.grad.numpy()  # type: ignore[union-attr]

    start = np.random.default_rng(0).normal(size=size)
    options = {"ftol": 0, "gtol": 1e-8, "maxiter": 500}
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    return found.fun, torch.tensor(found.x)


@pytest.mark.parametrize(
    ("classes", "each", "tau"), [(10, 10, 1.0), (10, 10, 0.5), (3, 20, 1.0), (4, 10, 1.0)]
)
def test_the_minimum_of_the_supervised_contrastive_loss(
    papers: dict[str, Paper], classes: int, each: int, tau: float
) -> None:
    label = torch.arange(classes).repeat_interleave(each)
    itself = torch.eye(len(label), dtype=torch.bool)
    same = (label[:, None] == label) & ~itself

    def loss(free: torch.Tensor) -> torch.Tensor:
        z = normalize(free.view(len(label), classes), dim=1)
        logits = z @ z.T / tau
        log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
        return -log_p[same].mean()

    graf = papers["graf2021-dissecting"]
    setting = f"K = {classes} balanced classes, {each} points each, tau = {tau:g},"
    least, free = minimised(loss, len(label) * classes)
    assert least == pytest.approx(derived(graf, "minimum of the sup", setting), abs=2e-6)
    means = normalize(normalize(free.view(classes, each, -1), dim=2).mean(1), dim=1)
    between = (means @ means.T)[~torch.eye(classes, dtype=torch.bool)]
    assert between.numpy() == pytest.approx(derived(graf, "cosine", f"K = {classes} balanced"), abs=2e-3)


def test_the_minimum_of_cross_entropy_with_bounded_weights(papers: dict[str, Paper]) -> None:
    def loss(free: torch.Tensor) -> torch.Tensor:  # one point a class is enough: all of a class coincide
        z, w = free.view(2, 10, 10)
        return torch.nn.functional.cross_entropy(
            normalize(z, dim=1) @ (10 * w / w.norm()).T, torch.arange(10)
        )

    expected = derived(papers["graf2021-dissecting"], "minimum of cross-entropy")
    assert minimised(loss, 200)[0] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("with_biases", ["", " with biases"])
def test_the_activation_statistics_of_a_siren(papers: dict[str, Paper], with_biases: str) -> None:
    rng, width, omega = np.random.default_rng(0), 1024, 30.0

    def biases(bound: float) -> np.ndarray:
        return rng.uniform(-bound, bound, width) if with_biases else np.zeros(width)

    x = np.linspace(-1, 1, 512)[:, None]
    before = [omega * (x @ rng.uniform(-1, 1, (1, width)) + biases(1))]
    bound = np.sqrt(6 / width) / omega
    for _ in range(11):
        weights = rng.uniform(-bound, bound, (width, width))
        before.append(omega * (np.sin(before[-1]) @ weights + biases(2048**-0.5)))
    siren = papers["sitzmann2020-siren"]
    name = f"standard deviation of pre-activations{with_biases}, "
    assert before[1].std() == pytest.approx(derived(siren, name + "second", "omega = 30"), abs=0.02)
    assert before[-1].std() == pytest.approx(derived(siren, name + "deep"), abs=0.03)
    after = derived(siren, f"standard deviation after the sine{with_biases}, deep")
    assert np.sin(before[-1]).std() == pytest.approx(after, abs=0.015)


@pytest.mark.parametrize("d", [2, 128])
def test_the_uniformity_loss_of_the_uniform_distribution(papers: dict[str, Paper], d: int) -> None:
    angle = (np.arange(200_000) + 0.5) / 200_000 * np.pi  # between two points of the sphere
    density = np.sin(angle) ** (d - 2)
    mean = (np.exp(-2 * (2 - 2 * np.cos(angle))) * density).sum() / density.sum()
    expected = derived(papers["wang2020-alignuniform"], "min of L_uniform", f"d = {d},")
    assert np.log(mean) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("pairs", "setting"), [(20, "MINE follows"), (2, "two component pairs")])
def test_the_mutual_information_of_correlated_gaussians(
    papers: dict[str, Paper], pairs: int, setting: str
) -> None:
    joint = np.kron([[1, 0.9], [0.9, 1]], np.eye(pairs))
    expected = derived(papers["belghazi2018-mine"], "mutual information", setting)
    assert -np.linalg.slogdet(joint)[1] / 2 == pytest.approx(expected, abs=1e-6)
