"""The BibTeX entry of a paper."""

from __future__ import annotations

import re

from repro.papers.schema import Paper

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
# Names of journals begin like this; every other venue is a conference or a workshop.
_JOURNAL = re.compile(
    r"(ACM Computing|ACM/IMS|Acta|CVIU|Doklady|Entropy|Frontiers|IEEE(?! CDC| ITW)|IMWUT|J\.|JMLR|Machine Learning|"
    r"Magnetic|Nature|Neurocomputing|PNAS|Proceedings of the IEEE|Technologies|TMLR)"
)
_KINDS = {"booktitle": "inproceedings", "journal": "article", "": "misc"}


def bibtex(paper: Paper) -> str:
    """The entry, with the slug as its key; UTF-8, the title's capitals protected, TeX's characters escaped."""
    venue, year = _venue(paper)
    where = _field(venue)
    fields = {
        "title": f"{{{escape(paper.title)}}}",
        "author": " and ".join(map(escape, paper.authors)),
        where: escape(venue) if where else "",
        "year": str(year),
        "eprint": paper.arxiv or "",
        "archiveprefix": "arXiv" if paper.arxiv else "",
    }
    lines = (f"  {name} = {{{value}}}," for name, value in fields.items() if value)
    return "\n".join([f"@{_KINDS[where]}{{{paper.slug},", *lines, "}"])


def escape(text: str) -> str:
    """The text with the characters that TeX would take for commands escaped."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _venue(paper: Paper) -> tuple[str, int]:
    """The venue without its year, and the year of publication there."""
    venue = paper.venue or ""
    year = re.search(r"\b(19|20)\d\d\b", venue)
    if not year:
        return venue, paper.year
    return " ".join((venue[: year.start()] + venue[year.end() :]).split()), int(year.group())


def _field(venue: str) -> str:
    """The field that names the venue, which decides on the kind of entry; none for a preprint."""
    if venue in ("", "arXiv"):
        return ""
    return "journal" if _JOURNAL.match(venue) else "booktitle"
