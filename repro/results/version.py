"""Which records speak for a recipe as it stands: its hash is theirs, and so is the code that computes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from repro import source
from repro.recipes.load import recipe_hash
from repro.recipes.schema import Recipe
from repro.results.record import Record


@dataclass(frozen=True)
class Version:
    """A recipe's hash, and the digests of the modules that compute it now."""

    hash: str
    components: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The digest of all components."""
        return source.combined(self.components)


def version(recipe: Recipe) -> Version:
    """The recipe as it stands."""
    return Version(recipe_hash(recipe), source.components(recipe))


def of_hash(records: Iterable[Record], now: Version) -> list[Record]:
    """The runs of the recipe with this hash, whatever their code: the comparable ones, if there are any."""
    runs = [r for r in records if r.hash == now.hash]
    return [r for r in runs if r.comparable] or runs


def current(records: Iterable[Record], now: Version) -> list[Record]:
    """Those of them that were computed by the present code, or by code that a later run has confirmed."""
    runs = of_hash(records, now)
    accepted = confirmed(runs, now)
    return [r for r in runs if r.code_digest in accepted]


def confirmed(runs: Sequence[Record], now: Version) -> set[str]:
    """The digests of the present code and of all that its runs confirm, directly or through another run."""
    accepted = {now.code}
    while more := {c.code for r in runs if r.code_digest in accepted for c in r.confirms} - accepted:
        accepted |= more
    return accepted


def changes(records: Iterable[Record], now: Version) -> list[str]:
    """The modules that are not as they were when these records were made."""
    return sorted({module for r in records for module in source.changed(r.components, now.components)})
