"""A language model that is asked in its context: prompts, likelihoods, and which answer is right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from repro.data.table import Table
from repro.keys import generator
from repro.stages.in_context import Prompt, best, likelihoods, prompts, ragged, task_of


class Bigrams(nn.Module):
    """A language model that knows the last token only: its state is the token, its logits a row of a table."""

    def __init__(self, table: Tensor):
        super().__init__()
        self.table = table

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.one_hot(tokens, len(self.table)).to(self.table.dtype)

    def logits(self, states: Tensor) -> Tensor:
        return states @ self.table


def task(*choices: tuple[int, list[int], list[int], int]) -> Table:
    """Rows of (question, context, completion, whether it is right)."""
    question, context, completion, label = zip(*choices, strict=True)
    fields = {
        n: ragged([*map(torch.tensor, x)]) for n, x in (("context", context), ("completion", completion))
    }
    scalars = {"question": torch.tensor(question), "label": torch.tensor(label)}
    return Table(fields=fields | scalars, name="t", split="test", shape=(8, 6))


def test_likelihoods_of_completions_of_different_lengths() -> None:
    table = torch.randn(6, 6, dtype=torch.float64, generator=generator(3))
    asked = [
        Prompt(torch.tensor([1, 2, 3, 4]), 2),
        Prompt(torch.tensor([5, 1]), 1),
        Prompt(torch.tensor([2] * 6), 3),
    ]
    found = likelihoods(Bigrams(table), asked, torch.device("cpu"))
    p = table.softmax(1)
    assert found[0, 0] == pytest.approx(float((p[2, 3] * p[3, 4]).log()))
    assert found[1, 0] == pytest.approx(float(p[5, 1].log()))
    assert found[2, 0] == pytest.approx(3 * float(p[2, 2].log()))
    greedy = [(p[2].argmax() == 3) & (p[3].argmax() == 4), p[5].argmax() == 1, p[2].argmax() == 2]
    assert found[:, 1].bool().tolist() == [bool(one) for one in greedy]


def test_prompts_show_examples_that_fit() -> None:
    pool = task((0, [1], [2], 1), (0, [1], [3], 0), (1, [4], [5, 5], 1))
    asked = task((7, [3, 3], [2], 1), (7, [3, 3], [4], 0))
    none = prompts(asked, pool, "context", 0, 8, 0)
    assert [(p.tokens.tolist(), p.asked) for p in none] == [([3, 3, 2], 1), ([3, 3, 4], 1)]
    both = prompts(asked, pool, "context", 5, 8, 0)
    assert {tuple(both[0].tokens[:-3].tolist())} <= {
        (1, 2, 4, 5, 5),
        (4, 5, 5, 1, 2),
    }  # right ones only, each once
    assert both[0].tokens[:-1].equal(both[1].tokens[:-1])  # the choices of a question have the same examples
    assert [len(p.tokens) for p in prompts(asked, pool, "context", 2, 2, 0)] == [3, 3]
    assert prompts(asked, pool, "context", 0, 1, 0)[0].tokens.tolist() == [3, 2]


def test_a_choice_is_right_if_it_is_the_likeliest_and_a_lone_one_if_it_would_be_written() -> None:
    question = torch.tensor([0, 0, 1, 1, 2, 3])
    right = torch.tensor([True, False, False, True, True, True])
    scores = torch.tensor([-1.0, -2.0, -1.0, -2.0, -9.0, -1.0])
    greedy = torch.tensor([False, False, False, False, True, False])
    assert best(scores, greedy, question, right) == 50.0


def test_of_plain_texts_the_last_token_is_asked() -> None:
    texts = {"tokens": ragged([torch.tensor([1, 2, 3]), torch.tensor([4, 5])])}
    facts = {"vocabulary": SimpleNamespace(encode=lambda text: [9] * len(text.split()))}
    asked = task_of(Table(fields=texts, facts=facts, name="t", split="test", shape=(8, 10)))
    assert [p.tokens.tolist() for p in prompts(asked, asked, "context", 0, 8, 0)] == [[1, 2, 3], [4, 5]]
    shown = prompts(asked, asked, "cloze", 2, 99, 0)
    assert [p.asked for p in shown] == [1, 1]
    assert shown[0].tokens[-5:].tolist() == [1, 2, 9, 9, 3] and len(shown[0].tokens) == 14
