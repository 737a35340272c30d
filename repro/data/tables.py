"""Sets of text, tables and graphs as tables of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from repro.data import rows as reading
from repro.data.available import find, find_files, needed
from repro.data.declare import TRAIN, DataSet, declaration
from repro.data.fields import (
    FeaturesField,
    LabelField,
    NodeField,
    NumberField,
    StreamField,
    TokensField,
    VocabularyOptions,
)
from repro.data.fingerprint import Column, Fingerprint, agreed, of_columns
from repro.data.table import Ragged, Stream
from repro.data.vocabulary import BETWEEN, Rule, Vocabulary, counted
from repro.errors import UserError


class Values(NamedTuple):
    """The checked values of a split by column, the numbers of its rows in the whole (n,), where they came from, and
    what belongs to the set as a whole."""

    columns: dict[str, Any]
    numbers: np.ndarray
    where: str
    facts: dict[str, np.ndarray]


@dataclass(frozen=True)
class Fitted:
    """What is taken from the training rows: the vocabulary, means and deviations of numbers, the categories."""

    vocabulary: Vocabulary | None = None
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Made(NamedTuple):
    """The parts of a table."""

    fields: dict[str, Any]
    facts: dict[str, Any]
    fingerprint: Fingerprint
    where: str


def made(declared: DataSet, split: str) -> Made:
    """Fields and facts of a split. Raises UserError, naming file and row, for what is not as declared."""
    values = _values(declared, split)
    fitted = _fitted(declared, _digest(declared))
    facts: dict[str, Any] = {name: torch.tensor(x) for name, x in values.facts.items()}
    if fitted.vocabulary is not None:
        facts["vocabulary"] = fitted.vocabulary
    if declared.graph:
        facts["features"] = _bag(facts.pop("ones"), facts.pop("starts"), declared.shape[0])
    fields = {}
    for name, spec in (declared.fields or {}).items():
        fields[name] = _field(spec, values, fitted)
        if isinstance(spec, NumberField) and spec.standardise:
            facts[name] = fitted.scales[spec.column]
    _check_shape(declared, fields, facts, values.where)
    return Made(fields, facts, _fingerprint(declared, values), values.where)


def fingerprint_of(declared: DataSet, split: str) -> Fingerprint:
    """That of a split's values as they are in the files."""
    return _fingerprint(declared, _values(declared, split))


def _values(declared: DataSet, split: str) -> Values:
    rows = reading.read(declared, split)
    width = declared.shape[0] if declared.graph else 0
    columns = reading.checked(rows, declared.readings, declared.classes_in(split), width)
    facts = {}
    index = np.arange(len(rows))
    if declared.whole and declared.whole.by:
        by = np.array(rows.category(declared.whole.by, gaps=True), object)
        index = np.flatnonzero(by == split)
    if declared.graph:
        facts["ones"], facts["starts"] = columns.pop(declared.graph.features)
        facts["edges"] = _edges(declared, len(rows))
    columns = {name: _chosen(x, index) for name, x in columns.items()}
    if isinstance(next(iter((declared.fields or {}).values())), StreamField):
        columns, index = _cut(declared, split, columns)
    expected, found = declared.splits[split], len(index)
    if found != expected:
        raise UserError(
            f"{rows.where}: split `{split}` of `{declared.name}` has {expected:,} rows, and the {len(rows.parts)} "
            f"file(s) here have {found:,}; are all parts there? If they are, {rows.mend}."
        )
    return Values(columns, index, rows.where, facts)


def _chosen(values: Any, index: np.ndarray) -> Any:
    return values[index] if isinstance(values, np.ndarray) else [values[i] for i in index]


def _cut(declared: DataSet, split: str, columns: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """A stream's text as one, and the part of it that is the split's, where it is cut by position."""
    ((name, texts),) = columns.items()
    pieces = _pieces(declared, "".join(texts))
    if declared.whole:
        sizes = list(declared.splits.values())
        before = sum(sizes[: list(declared.splits).index(split)])
        pieces = pieces[before : before + declared.splits[split]]
    return {name: pieces}, np.arange(len(pieces))


def _pieces(declared: DataSet, text: str) -> list[str]:
    options = _vocabulary_set(declared).vocabulary
    assert options is not None  # a declaration with a stream has one
    return Rule(options.by, options.lower).pieces(text)


def _vocabulary_set(declared: DataSet) -> DataSet:
    """The set whose training text gives the vocabulary."""
    other = declared.vocabulary and declared.vocabulary.of
    return _vocabulary_set(declaration(other)) if other else declared


def _edges(declared: DataSet, nodes: int) -> np.ndarray:
    """(2, E) int64."""
    assert declared.graph is not None
    files = find(declared, (declared.graph.edges,))
    if files is None:
        raise UserError(f"The edges of `{declared.name}` are not here: {declared.how_to_get}.")
    mend = f"delete {files.to_remove}, then {declared.how_to_get}"
    rows = reading.read_files(files, [*declared.graph.ends], mend)
    return np.stack([rows.label(end, False, nodes) for end in declared.graph.ends])


def _bag(ones: Tensor, starts: Tensor, width: int) -> Tensor:
    """(N, width) float32 with ones where the lists say."""
    bag = torch.zeros(len(starts) - 1, width)
    bag[torch.arange(len(starts) - 1).repeat_interleave(starts.diff()), ones] = 1
    return bag


def _digest(declared: DataSet) -> tuple[str, ...]:
    """The state of the files that a set is read from."""
    files = (find_files(part, split) for part, split in needed(declared))
    return tuple(found.digest if found else "" for found in files)


@lru_cache(16)
def _fitted(declared: DataSet, digest: tuple[str, ...]) -> Fitted:
    """From the training rows as they are in this state of the files."""
    specs = (declared.fields or {}).values()
    own = _vocabulary_set(declared)
    vocabulary = None if own is declared else _fitted(own, digest).vocabulary
    numbers = [spec.column for spec in specs if isinstance(spec, NumberField) and spec.fitted]
    features = [spec for spec in specs if isinstance(spec, FeaturesField) and spec.fitted]
    if not (numbers or features or (declared.vocabulary and own is declared)):
        return Fitted(vocabulary)
    values = _values(declared, TRAIN)
    agreed(declared, TRAIN, _fingerprint(declared, values), values.where)
    if declared.vocabulary and own is declared:
        texts = [values.columns[column] for spec in specs for column in _text_columns(spec)]
        vocabulary = counted(chain.from_iterable(texts), declared.vocabulary)
    numbers += [column for spec in features for column in spec.numbers]
    return Fitted(
        vocabulary,
        {name: _scale(values.columns[name]) for name in numbers},
        {
            name: sorted({x for x in values.columns[name] if x is not None})
            for spec in features
            for name in spec.categories
        },
    )


def _text_columns(spec: Any) -> tuple[str, ...]:
    if isinstance(spec, StreamField):
        return (spec.column,)
    return spec.columns if isinstance(spec, TokensField) else ()


def _scale(values: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation of what is not missing; (0, 0) when all is."""
    there = values[~np.isnan(values)]
    with np.errstate(over="ignore", invalid="ignore"):  # shows in what is made of them
        return (float(there.mean()), float(there.std())) if len(there) else (0.0, 0.0)


def _field(spec: Any, values: Values, fitted: Fitted) -> Any:
    """A field as tensors, from its columns."""
    columns = values.columns
    match spec:
        case TokensField():
            assert fitted.vocabulary is not None
            return _tokens([columns[name] for name in spec.columns], fitted.vocabulary)
        case StreamField():
            assert fitted.vocabulary is not None
            tokens = torch.tensor(fitted.vocabulary.numbered(columns[spec.column]))
            return Stream(tokens, torch.arange(len(tokens)))
        case FeaturesField():
            return _single(_features(spec, columns, fitted), values.where)
        case NumberField():
            found = columns[spec.column]
            if spec.standardise:
                found = _standardised(found, *fitted.scales[spec.column])
            return _single(found, values.where)
        case LabelField():
            return torch.tensor(columns[spec.column])
        case NodeField():
            return torch.from_numpy(values.numbers)


def _tokens(texts: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Ragged:
    """The tokens of each row's texts, with `<sep>` in between."""
    entries = []
    for row in zip(*texts, strict=True):
        first, *rest = map(vocabulary.encode, row)
        entries.append([*first, *chain.from_iterable([BETWEEN, *more] for more in rest)])
    lengths = torch.tensor([0, *map(len, entries)])
    return Ragged(torch.tensor([*chain.from_iterable(entries)], dtype=torch.long), lengths.cumsum(0))


def _features(spec: FeaturesField, columns: dict[str, Any], fitted: Fitted) -> np.ndarray:
    """(n, d) float64."""
    parts = []
    for name in spec.numbers:
        mean, deviation = fitted.scales.get(name, (0.0, 1.0))
        values = np.nan_to_num(columns[name], nan=mean if spec.missing == "mean" else 0.0)
        parts.append((_standardised(values, mean, deviation) if spec.standardise else values)[:, None])
    for name in spec.categories:
        categories = np.array(fitted.categories[name], object)
        parts.append(np.array(columns[name], object)[:, None] == categories)
    return np.concatenate(parts, 1)


def _single(values: np.ndarray, where: str) -> Tensor:
    """As float32. Raises UserError for values that this cannot hold."""
    found = torch.tensor(values, dtype=torch.float32)
    if not found.isfinite().all():
        raise UserError(f"{where}: some numbers are too large for 32 bits; correct the file.")
    return found


def _standardised(values: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        standard: np.ndarray = (values - mean) / (deviation or 1.0)
    return standard if np.isfinite(deviation) else np.full_like(standard, np.nan)


def _check_shape(declared: DataSet, fields: dict[str, Any], facts: dict[str, Any], where: str) -> None:
    if declared.graph:  # the width of its features is the declared one by construction
        return
    text = declared.vocabulary is not None
    found, expected = (
        len(facts["vocabulary"]) if text else fields[declared.primary].shape[1],
        declared.shape[-1],
    )
    if found != expected:
        raise UserError(
            f"{where}: `{declared.name}` has {found:,} {'tokens' if text else 'features'}, and {expected:,} are "
            f"declared as its `shape`; correct the declaration, or {declared.how_to_get}."
        )


def _fingerprint(declared: DataSet, values: Values) -> Fingerprint:
    columns: list[Column] = [values.numbers] if declared.graph else []
    for found in values.columns.values():
        columns.append(found if isinstance(found, np.ndarray) else _encoded(found, declared))
    return of_columns(columns, [*values.facts.values()])


def _encoded(texts: Sequence[str | None], declared: DataSet) -> list[bytes]:
    """Texts as bytes; a stream is one text."""
    if isinstance(next(iter((declared.fields or {}).values())), StreamField):
        by = (_vocabulary_set(declared).vocabulary or VocabularyOptions()).by
        texts = [("" if by == "characters" else " ").join(str(piece) for piece in texts)]
    return [b"\0" if text is None else text.encode() for text in texts]
