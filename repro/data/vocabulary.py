"""Text to tokens: words or characters, numbered by a vocabulary that depends on the training text alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from repro.data.fields import VocabularyOptions

MARKS = ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>")
PAD, UNKNOWN, START, BETWEEN, MASK = range(len(MARKS))
WORD = re.compile(r"\w+|[^\w\s]")


class Rule(NamedTuple):
    """How a text is cut into pieces."""

    by: str
    lower: bool

    def pieces(self, text: str) -> list[str]:
        """The words or characters in their order."""
        text = text.lower() if self.lower else text
        return WORD.findall(text) if self.by == "words" else list(text)


class Vocabulary:
    """Numbers of tokens: the marks have 0 to 4, then come the pieces. `tokens[number]` is what it stands for."""

    def __init__(self, pieces: Iterable[str], rule: Rule) -> None:
        self.tokens, self.rule = (*MARKS, *pieces), rule

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Piece -> number."""
        return {token: number for number, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens; pieces that the vocabulary lacks are `<unk>`."""
        return self.numbered(self.rule.pieces(text))

    def numbered(self, pieces: Iterable[str]) -> list[int]:
        """The same of a text that is cut already."""
        numbers = self.numbers
        return [numbers.get(piece, UNKNOWN) for piece in pieces]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens: words with blanks in between, padding left out."""
        shown = (self.tokens[token] for token in tokens if token != PAD)
        return (" " if self.rule.by == "words" else "").join(shown)


def counted(texts: Iterable[str], options: VocabularyOptions) -> Vocabulary:
    """The vocabulary of these texts."""
    rule = Rule(options.by, options.lower)
    counts = Counter(chain.from_iterable(map(rule.pieces, texts)))
    kept = sorted((-n, piece) for piece, n in counts.items() if n >= options.least)
    room = None if options.limit is None else max(options.limit - len(MARKS), 0)
    return Vocabulary([piece for _, piece in kept[:room]], rule)
