"""What a recipe has to say about itself: whose a number is, and in which precision it runs."""

from __future__ import annotations

import re

from repro.papers.load import paper
from repro.recipes.load import ids, load

FAMILIES = ("contrastive", "clustering", "negative-free", "redundancy-reduction", "supervised-contrastive")
RECIPES = [load(i) for i in ids()]


def repository(ref: str | None) -> str | None:
    """The GitHub repository with which the reference begins, in small letters."""
    found = re.match(r"([\w.-]+/[\w.-]+?)(\.git)?[, ]", f"{ref or ''} ")
    return found[1].lower() if found else None


def test_a_number_read_in_another_repository_than_the_papers_says_whose_it_is() -> None:
    checked = 0
    for recipe in RECIPES:
        official = (paper(recipe.paper).code or "").lower()
        for expected in recipe.expected:
            read = repository(expected.source.ref)
            if read and read != official:
                checked += 1
                assert expected.source.of, f"{recipe.id}: {expected.source.ref} is not {official}"
    assert checked >= 73


def test_a_recipe_for_a_gpu_states_its_precision_or_declares_that_it_is_another() -> None:
    compared = [r for r in RECIPES if r.family in FAMILIES and r.tier == "gpu" and r.expected]
    silent = [
        r.id for r in compared if r.precision == "auto" and "precision" not in {d.what for d in r.deviations}
    ]
    assert len(compared) > 100 and not silent


def test_a_third_partys_number_is_expected_of_pixels_normalised_as_it_does() -> None:
    """Another policy than that of the recipe extended drops its normalisation; that of the set takes its place."""
    theirs = [r for r in RECIPES if {e.source.of for e in r.expected} & {"solo-learn", "lightly"}]
    views = {r.id: getattr(r.stages.get("pretrain"), "views", None) for r in theirs}
    assert len(views) > 50
    assert not [i for i, v in views.items() if v is None or v.normalise is None]
