"""What goes wrong because of the user's input or the machine, told in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

Found = TypeVar("Found")


class UserError(Exception):
    """A mistake or a lack that the user can mend: says what was wrong, where, and what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


def readable(read: Callable[[str], Found], names: Iterable[str]) -> tuple[list[Found], list[UserError]]:
    """What `read` gives for each of the names, in their order; and what is wrong with those that it refuses."""
    found, wrong = [], []
    for name in names:
        try:
            found.append(read(name))
        except UserError as error:
            wrong.append(error)
    return found, wrong


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean …?` for the known word nearest to `word`, or an empty string."""
    if len(word) > 100:  # no name; and the search takes as long as the square of its length
        return ""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""
