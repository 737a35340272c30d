"""What may be a name. Names of recipes, stages, components and data sets become those of files and folders."""

from __future__ import annotations

import re

LONGEST = 100  # characters: with what is added to it, a name still makes a file name on every system
HYPHENATED = "lower-case letters, digits and single hyphens, at most 100 characters"
UNDERSCORED = "lower-case letters, digits and underscores, at most 100 characters"


def hyphenated(word: str) -> bool:
    """Whether it can name a recipe, paper or family."""
    return len(word) <= LONGEST and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word) is not None


def underscored(word: str) -> bool:
    """Whether it can name a stage, component or data set."""
    return len(word) <= LONGEST and re.fullmatch(r"[a-z0-9_]+", word) is not None
