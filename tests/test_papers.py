"""The reading list in use: loading, the tie to the recipes, coverage, BibTeX, and the command around them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from repro.cli.papers import command
from repro.errors import UserError
from repro.papers import load
from repro.papers.bibtex import bibtex, escape
from repro.papers.coverage import figures, report
from repro.papers.schema import Paper
from repro.papers.standing import STATUSES, Standing, standing, survey
from repro.papers.tie import problems
from repro.recipes.check import check_recipes
from repro.recipes.problems import InvalidFile
from repro.recipes.scaffold import start
from repro.recipes.schema import Recipe
from repro.results.rows import Row
from tests.conftest import Write, forget, repro
from tests.test_recipes import GOOD


def paper(slug: str = "doe2020-thing", **values: Any) -> Paper:
    given = {
        "title": "A Thing",
        "year": 2020,
        "kind": "method",
        "family": "other",
        "idea": "An idea.",
        "tier": "cpu",
    }
    return Paper.model_validate({"slug": slug, **given, **values})


def row(slug: str = "doe2020-thing", **values: Any) -> Row:
    blank: dict[str, Any] = {
        "recipe": "r",
        "tier": "cpu",
        "metric": "a.b",
        "n": 0,
        "mean": None,
        "sd": None,
        "low": None,
    }
    return Row(paper=slug, high=None, **(blank | values))


def own(verdict: str, kind: str = "number", **values: Any) -> Row:
    """A result of the paper's own claim."""
    n = 0 if verdict == "missing" else 3
    facts = {"counts": True, "role": "claim", "reproduced": verdict == "matches"} | values
    return row(verdict=verdict, kind=kind, n=n, **facts)


# ---- loading


@pytest.fixture
def own_papers(project: Path) -> Path:
    """A project whose papers are its own: none yet."""
    (project / "papers").unlink()
    (project / "papers").mkdir()
    load._below.cache_clear()
    return project / "papers"


WHOLE = """\
slug: doe2020-thing
title: A Thing
year: 2020
kind: method
family: other
idea: An idea.
tier: gpu
reported:
  - {dataset: D, metric: accuracy, value: 5, unit: "%", evidence: paper}
"""


def test_a_paper_is_read_with_its_defaults(own_papers: Path) -> None:
    (own_papers / "doe2020-thing.yaml").write_text(WHOLE)
    found = load.paper("doe2020-thing")
    assert (found.tier, found.reported[0].value, found.reported[0].better) == ("gpu", 5.0, "higher")
    assert load.slugs() == ("doe2020-thing",)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("tier: gpu", "teir: gpu", 7, "did you mean `tier`?"),
        ("value: 5", "value: five", 9, "reported.0.value"),
        ("evidence: paper", "evidence: hearsay", 9, "reported.0.evidence"),
        ("evidence: paper", "evidence: derived", 9, "derivation"),
        ("slug: doe2020-thing", "slug: doe2020-thin", 1, "must be the file's name, `doe2020-thing`"),
    ],
)
def test_each_mistake_is_told_with_its_line(
    own_papers: Path, old: str, new: str, line: int, words: str
) -> None:
    (own_papers / "doe2020-thing.yaml").write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(InvalidFile) as caught:
        load.paper("doe2020-thing")
    assert any(f"doe2020-thing.yaml:{line}: " in str(p) and words in str(p) for p in caught.value.problems)


def test_an_invalid_file_does_not_hide_the_others(own_papers: Path) -> None:
    (own_papers / "doe2020-thing.yaml").write_text(WHOLE)
    (own_papers / "roe2020-other.yaml").write_text("slug: roe2020-other\n")
    found, wrong = load.every()
    assert [type(p) for p in (*found, *wrong)] == [Paper, InvalidFile]
    done = repro("papers", "--json", cwd=own_papers.parent)
    assert done.returncode == 0 and "Skipped: " in done.stderr
    assert [p["slug"] for p in json.loads(done.stdout)] == ["doe2020-thing"]


# ---- the tie between recipes and papers


def recipe(expected: list[dict[str, Any]], claim: str = "paper") -> Recipe:
    source = {"where": "Table 1", "evidence": "paper"}
    return Recipe.model_validate(
        {
            "id": "r", "family": "tests", "paper": "doe2020-thing", "title": "t", "tier": "cpu", "claim": claim,
            "stages": {"s": {"kind": "simplex", "loss": "supcon", "classes": 3, "points": 2, "dim": 2}},
            "expected": [{"metric": "s.loss", "source": source, **e} for e in expected],
        }
    )  # fmt: skip


REPORTED = [
    {"dataset": "D", "metric": "accuracy", "value": 76.5, "unit": "%", "evidence": "paper"},
    {"dataset": "D", "metric": "accuracy", "value": 70.0, "unit": "%", "evidence": "memory"},
    {"dataset": "E", "metric": "accuracy", "value": 90.0, "unit": "%", "evidence": "paper", "bound": "lower"},
]


@pytest.mark.parametrize(
    ("expected", "tied"),
    [
        ({"value": 76.5, "unit": "%", "delta": 1}, True),
        ({"value": 76.50001, "unit": "%", "delta": 1}, False),
        ({"value": 76.5, "unit": "points", "delta": 1}, False),
        ({"value": 76.5, "delta": 1}, False),
        ({"value": 70.0, "unit": "%", "delta": 1}, False),  # recalled there, read here
        ({"value": 90.0, "unit": "%", "delta": 1}, False),  # only a bound there
        ({"at_least": 90.0, "unit": "%"}, True),
        ({"at_most": 90.0, "unit": "%"}, False),
        ({"at_least": 76.5, "unit": "%"}, True),
        ({"at_least": 50, "unit": "%"}, False),
        ({"greater_than": "s.gap"}, True),
    ],
)
def test_an_expected_number_must_stand_in_the_paper(expected: dict[str, Any], tied: bool) -> None:
    assert bool(problems(recipe([expected]), paper(reported=REPORTED))) != tied


@pytest.mark.parametrize("claim", ["own", "scaled"])
def test_a_recipe_with_a_smaller_claim_may_set_bounds_but_no_values(claim: str) -> None:
    bound, value = {"at_least": 50, "unit": "%"}, {"value": 50, "unit": "%", "delta": 1}
    assert problems(recipe([bound], claim), paper(reported=REPORTED)) == []
    (message,) = problems(recipe([bound, value], claim), paper(reported=REPORTED))
    assert message == (
        "`s.loss`: papers/doe2020-thing.yaml reports no 50 % (evidence `paper`); "
        "the nearest is 70 % (evidence `memory`), accuracy on D"
    )


def test_a_bound_of_our_own_need_not_stand_in_the_paper_but_a_value_does() -> None:
    own = {"source": {"where": "our reading of Table 1", "evidence": "paper", "of": "own"}}
    bound, value = {"at_least": 50, "unit": "%"}, {"value": 50, "unit": "%", "delta": 1}
    assert problems(recipe([{**bound, **own}]), paper(reported=REPORTED)) == []
    assert len(problems(recipe([bound]), paper(reported=REPORTED))) == 1
    assert len(problems(recipe([{**value, **own}]), paper(reported=REPORTED))) == 1


def test_check_enforces_the_tie(write_recipe: Write) -> None:
    claim = "expected:\n- {metric: knn.top1, value: 96.1, unit: '%', delta: 1, source: {where: x, evidence: code}}\n"
    write_recipe("r", GOOD + claim)
    (problem,) = check_recipes(["r"])
    assert "r.yaml:15: expected: `knn.top1`: papers/khosla2020-supcon.yaml reports no 96.1 %" in problem
    assert "the nearest is 96 % (evidence `code`)" in problem
    write_recipe("r", GOOD + claim.replace("96.1", "96"))
    assert list(check_recipes(["r"])) == []


def test_a_recipe_can_be_started_from_every_paper(project: Path) -> None:
    """Whatever the paper's protocol says: few epochs, huge batches, …"""
    names = {f"{i}-{slug.rpartition('-')[2][:20]}": slug for i, slug in enumerate(load.slugs())}
    for name, slug in names.items():
        start(name, paper=slug, extends=None, family="tests")
    forget()
    assert [*check_recipes(names)] == []


# ---- standing and coverage


@pytest.mark.parametrize(
    ("values", "recipes", "rows", "status", "reason"),
    [
        ({}, [], [], "planned", None),
        ({"tier": "closed"}, [], [], "out of reach", "closed data"),
        ({"tier": "none"}, [], [], "out of reach", "nothing numeric"),
        ({"tier": "cluster"}, [], [], "out of reach", "cluster"),
        ({"tier": "cluster", "recipes": ["small-one"]}, [], [], "planned", None),
        ({"tier": "closed"}, ["r"], [], "runnable", None),
        ({}, ["r"], [row(verdict="missing")], "runnable", None),
        ({}, ["r"], [row(verdict="stale")], "runnable", None),
        ({}, ["r"], [row(verdict="not comparable", n=3)], "runnable", None),
        ({}, ["r"], [row("roe2020-other", verdict="matches", n=3, reproduced=True)], "runnable", None),
        ({}, ["r"], [own("differs")], "tried", None),
        ({}, ["r"], [row(verdict="stale?", n=3)], "tried", None),
        ({}, ["r"], [row(verdict="matches", n=3)], "tried", None),  # another's number, or recalled
        ({}, ["r"], [row(verdict=None, n=1)], "tried", None),
        ({}, ["r"], [row(verdict="matches", n=3, kind="theory")], "theory checked", None),
        ({}, ["r"], [row(verdict="matches", n=3, kind="theory"), own("differs")], "theory checked", None),
        ({}, ["r"], [own("matches")], "reproduced", None),
        ({}, ["r"], [own("matches"), own("missing"), own("undecided")], "reproduced", None),
        ({}, ["r"], [own("matches"), own("differs")], "partly reproduced", None),
        ({}, ["r"], [own("matches", role="baseline")], "partly reproduced", None),
        ({}, ["r"], [own("matches", role="baseline"), own("matches")], "reproduced", None),
        ({}, ["r"], [own("matches", "direction")], "reproduced", None),
        ({}, ["r"], [own("matches", "direction"), own("missing", "direction")], "partly reproduced", None),
        ({}, ["r"], [own("matches", "direction"), own("differs")], "partly reproduced", None),
        ({}, ["r"], [own("matches", "direction"), own("missing")], "reproduced", None),
        ({}, ["r"], [own("matches"), own("differs", "direction")], "partly reproduced", None),
        ({}, ["r"], [own("matches", reproduced=False)], "tried", None),  # with a disqualifying deviation
    ],
)
def test_where_a_paper_stands(
    values: dict[str, Any], recipes: list[str], rows: list[Row], status: str, reason: str | None
) -> None:
    found = standing(paper(**values), recipes, rows)
    assert (found.status, found.reason) == (status, reason)


made_up = st.lists(
    st.tuples(
        st.sampled_from(["cpu", "gpu", "cluster", "none", "closed"]),
        st.sampled_from(["contrastive", "other", "masked"]),
        st.sampled_from(STATUSES),
    )
)


@given(made_up)
def test_the_figures_add_up(facts: list[tuple[str, str, Any]]) -> None:
    standings = [
        Standing(paper(tier=tier, family=family), (), status, "cluster" if status == "out of reach" else None)
        for tier, family, status in facts
    ]
    found = figures(standings)
    assert found["papers"] == len(facts) == sum(found[s] for s in STATUSES)
    assert sum(found["reasons"].values()) == found["out of reach"]
    for group, position in (("tiers", 0), ("families", 1)):
        for name, counts in found[group].items():
            for status in STATUSES:
                assert counts[status] == sum(f[position] == name and f[2] == status for f in facts)
        sizes = [sum(counts.values()) for counts in found[group].values()]
        assert sizes == sorted(sizes, reverse=True) and sum(sizes) == len(facts)


def test_the_report_shows_the_figures() -> None:
    standings = [
        Standing(paper(reported=REPORTED), ("r",), "reproduced"),
        Standing(paper(tier="closed", family="masked"), (), "out of reach", "closed data"),
        Standing(paper(tier="gpu"), (), "planned"),
    ]
    text = report(standings, "md")
    assert text.startswith(
        "3 papers (0 of the reading list and 3 more that recipes need): 1 reproduced, 0 partly reproduced, "
        "0 theory checked, 0 tried, 0 runnable, 1 planned, "
        "1 out of reach (1 closed data)."
    )
    assert "They report 3 numbers that are on file, by evidence: 2 paper, 1 memory." in text
    lines = [re.sub(r"\s+", "", line) for line in text.splitlines()]
    assert (
        "|family|papers|reproduced|partlyreproduced|theorychecked|tried|runnable|planned|outofreach|" in lines
    )
    assert "|other|2|1|||||1||" in lines and "|masked|1|||||||1|" in lines
    assert lines.count("|all|3|1|||||1|1|") == 2


# ---- BibTeX


def test_a_conference_a_journal_and_a_preprint() -> None:
    made = bibtex(
        paper(title="On 100% of R&D", authors=["Ann Doe", "Bo Ré"], venue="NeurIPS 2021", arxiv="2012.00001")
    )
    assert made == (
        "@inproceedings{doe2020-thing,\n  title = {{On 100\\% of R\\&D}},\n  author = {Ann Doe and Bo Ré},\n"
        "  booktitle = {NeurIPS},\n  year = {2021},\n  eprint = {2012.00001},\n  archiveprefix = {arXiv},\n}"
    )
    article = bibtex(paper(venue="IEEE TPAMI 2022"))
    assert article.startswith("@article{") and "  journal = {IEEE TPAMI},\n  year = {2022},\n" in article
    preprint = bibtex(paper(venue="arXiv"))
    assert preprint.startswith("@misc{") and "arXiv" not in preprint and "  year = {2020},\n" in preprint


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_escaped_text_means_the_same_to_tex(text: str) -> None:
    escaped = escape(text)
    commands = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^"}
    read = re.sub(
        r"\\(?:([a-z]+)\{\}|(.))", lambda m: commands[m[1]] if m[1] else m[2], escaped, flags=re.DOTALL
    )
    assert read == text
    assert not re.search(r"(?<!\\)[&%$#_~^]", escaped)


def test_every_entry_is_well_formed_and_named_by_its_slug() -> None:
    papers, wrong = load.every()
    assert papers and not wrong
    for found in papers:
        entry = bibtex(found)
        assert re.match(rf"@(inproceedings|article|misc)\{{{found.slug},\n", entry)
        plain = re.sub(r"\\[{}]", "", entry)
        assert plain.count("{") == plain.count("}")


# ---- the command


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_has_the_promised_keys_and_filters() -> None:
    rows = json.loads(run("--json"))
    keys = {"slug", "title", "year", "family", "tier", "status", "recipes", "reported"}
    assert len(rows) == len(load.slugs()) and all(set(r) == keys and r["status"] in STATUSES for r in rows)
    chosen = json.loads(run("--json", "--family", "contrastive", "--tier", "cpu"))
    assert chosen == [r for r in rows if r["family"] == "contrastive" and r["tier"] == "cpu"] != []
    unreachable = json.loads(run("--json", "--status", "out-of-reach"))
    assert unreachable == [r for r in rows if r["status"] == "out of reach"] != []
    supcon = next(r for r in rows if r["slug"] == "khosla2020-supcon")
    assert "supcon-cifar10" in supcon["recipes"]
    assert {"dataset": "CIFAR-100", "value": 76.5, "evidence": "code"}.items() <= {
        k: v for r in supcon["reported"] if r["value"] == 76.5 for k, v in r.items()
    }.items()


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("supervised contrastive khosla", "khosla2020-supcon"),
        ("KHOSLA Supervised", "khosla2020-supcon"),
        ("2020-siren", "sitzmann2020-siren"),
        ("neurips 2020 bootstrap latent", "grill2020-byol"),
    ],
)
def test_search_wants_all_words_in_any_order(words: str, slug: str) -> None:
    found = [r["slug"] for r in json.loads(run("--json", "--search", words))]
    assert slug in found and len(found) < 5
    assert json.loads(run("--json", "--search", f"{words} zebrafinch")) == []


def test_show_tells_what_is_reported_and_what_is_here() -> None:
    text = run("show", "khosla2020-supcon")
    for words in ("Prannay Khosla", "arXiv 2004.11362", "76.5 %", "supcon-cifar100", "temperature"):
        assert words in text
    assert max(map(len, text.split("# Reported")[0].splitlines())) <= 100
    values = json.loads(run("show", "khosla2020-supcon", "--json"))
    assert {"status", "recipes", "planned", "results", "reported", "idea"} <= set(values)
    assert not set(values["planned"]) & set(values["recipes"])
    assert run("show", "khosla2020-supcon", "--bibtex").startswith("@inproceedings{khosla2020-supcon,")


def test_show_of_an_unknown_slug_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^No paper `khosla2020-supcn`; did you mean `khosla2020-supcon`\?$"):
        run("show", "khosla2020-supcn")


def test_coverage_counts_every_paper_once() -> None:
    facts = json.loads(run("coverage", "--json"))
    standings, invalid = survey()
    assert not invalid and facts == json.loads(json.dumps(figures(standings)))
    assert facts["papers"] == len(load.slugs())
    assert "| family " in run("coverage", "--format", "md")
