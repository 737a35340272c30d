"""Random stand-ins of sets with fields, for trials of the wiring."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro import keys
from repro.data.declare import DataSet
from repro.data.fields import FeaturesField, NodeField, NumberField, StreamField, TokensField
from repro.data.table import Ragged, Stream, Table
from repro.data.vocabulary import MARKS, Rule, Vocabulary

BEYOND = 1024  # tokens of a stream after its last row


def alike(declared: DataSet, split: str, n: int, key: int) -> Table:
    """`n` random rows of the declared kinds and shapes, about four a class; classes look the same in all splits.

    A class shows in the first token of a text and in the centre of the features; a target is linear in them. Of a
    graph the rows are all nodes, with a ring of edges.
    """
    generator = keys.generator(key)
    classes = declared.classes_in(split)
    label = torch.arange(n) % max(1, min(classes, n // 4))
    features = _features(declared, label, generator)
    fields: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for name, spec in (declared.fields or {}).items():
        match spec:
            case TokensField():
                fields[name] = _texts(declared.shape, label, generator)
            case StreamField():
                values = torch.randint(len(MARKS), declared.shape[1], (n + BEYOND,), generator=generator)
                fields[name] = Stream(values, torch.arange(n))
            case FeaturesField():
                fields[name] = features
            case NumberField():
                fields[name] = features.mean(1)
                if spec.standardise:
                    facts[name] = (0.0, 1.0)
            case NodeField():
                fields[name] = torch.arange(n)
            case _:
                fields[name] = label
    if declared.vocabulary:
        pieces = (f"t{number}" for number in range(len(MARKS), declared.shape[1]))
        facts["vocabulary"] = Vocabulary(pieces, Rule("words", lower=False))
    if declared.graph:
        facts["features"] = (features > 1).float()
        facts["edges"] = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
    return Table(
        fields=fields, name=declared.name, split=split, shape=declared.shape, classes=classes, facts=facts
    )


def _features(declared: DataSet, label: Tensor, generator: torch.Generator) -> Tensor:
    """(n, d): noise around a centre for each class."""
    width = 1 if declared.vocabulary else declared.shape[0]
    centres = 4 * keys.uniform(keys.key("look-alike", declared.name), label, width) - 2
    return centres + torch.randn(len(label), width, generator=generator)


def _texts(shape: tuple[int, ...], label: Tensor, generator: torch.Generator) -> Ragged:
    length, vocabulary = shape
    lengths = torch.randint(1, length + 1, (len(label),), generator=generator)
    starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    values = torch.randint(len(MARKS), vocabulary, (int(starts[-1]),), generator=generator)
    values[starts[:-1]] = len(MARKS) + label % (vocabulary - len(MARKS))
    return Ragged(values, starts)
