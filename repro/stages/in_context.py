"""A language model is asked without being trained: zero, one or few shots, Brown et al. 2020, section 2.4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.data.table import Ragged, Table
from repro.engine.features import frozen
from repro.engine.method import exact
from repro.engine.plan import even
from repro.engine.stage import Context, Outcome, Stage
from repro.engine.update import gathered
from repro.keys import key, permutation
from repro.networks.build import trained
from repro.stages.in_context_options import InContextOptions

BATCH = 16  # prompts at once


class Prompt(NamedTuple):
    """tokens (L,), of which the last `asked` are the completion whose likelihood is wanted."""

    tokens: Tensor
    asked: int


class InContext(Stage):
    """Examples with their completions, then a question; every choice's likelihood as the completion is compared.

    A task has a row for each choice: the tokens of `context`, or `cloze`, and of `completion`, which `question` it
    belongs to, and `label` 1 for the right one. Of a set of plain texts the last token is asked. Examples are drawn
    for each question anew. Metrics: `accuracy`, percent of the questions whose right choice is the likeliest or,
    where it is the only one, whose every token is; `perplexity` of the right completions, each as a whole.
    """

    Options = InContextOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        task, pool = (task_of(ctx.data(split, o.set)) for split in (o.split, o.examples))
        encoder: Any = trained(ctx, o.of, task).encoder
        length = encoder.positions.num_embeddings
        asked = prompts(task, pool, o.form, o.shots, length, key(ctx.seed, "examples"))
        with frozen(encoder):
            scores, greedy = self._likelihoods(ctx, encoder, asked)
            total = scores
            if o.per == "unconditional":
                answer = torch.tensor(task.facts["vocabulary"].encode("Answer:"))
                neutral = [Prompt(torch.cat([answer, c]), len(c)) for c in entries(task, "completion")]
                scores = scores - self._likelihoods(ctx, encoder, neutral)[0]
            else:
                scores = scores / torch.tensor([prompt.asked for prompt in asked], device=scores.device)
        right = task["label"] == 1
        accuracy = best(scores.cpu(), greedy.cpu(), task["question"], right)
        return Outcome(
            {"accuracy": accuracy, "perplexity": (-total.cpu()[right].double().mean()).exp().item()}
        )

    def _likelihoods(self, ctx: Context, encoder: Any, asked: list[Prompt]) -> tuple[Tensor, Tensor]:
        """log p (n,) of each completion, and whether each of its tokens is the likeliest; shared by the processes."""
        shares = even(len(asked), ctx.setup.processes)
        start = sum(shares[: ctx.setup.rank])
        own = asked[start : start + shares[ctx.setup.rank]]
        parts = []
        for first in range(0, len(own), BATCH):
            with ctx.setup.autocast():
                parts.append(likelihoods(encoder, own[first : first + BATCH], ctx.device))
        found = gathered(torch.cat(parts), shares)
        return found[:, 0], found[:, 1] > 0


def task_of(table: Table) -> Table:
    """The table, or one that asks for the last token of each of its texts, as a blank to be filled in `cloze`."""
    if "completion" in table.fields:
        return table
    texts, blank = entries(table, "tokens"), torch.tensor(table.facts["vocabulary"].encode(" _. →"))
    fields = {
        "context": ragged([text[:-1] for text in texts]),
        "cloze": ragged([torch.cat([text[:-1], blank]) for text in texts]),
        "completion": ragged([text[-1:] for text in texts]),
    }
    return table.having(
        **fields, question=torch.arange(len(texts)), label=torch.ones(len(texts), dtype=torch.int64)
    )


def ragged(texts: Sequence[Tensor]) -> Ragged:
    lengths = torch.tensor([0, *map(len, texts)])
    return Ragged(torch.cat([*texts]), lengths.cumsum(0))


def entries(table: Table, field: str) -> list[Tensor]:
    """The tokens of each entry of a ragged field."""
    ragged = table[field]
    return list(ragged.values.split(ragged.lengths.tolist()))


def prompts(task: Table, pool: Table, form: str, shots: int, length: int, key_: int) -> list[Prompt]:
    """A prompt for every row of the task, of at most `length` + 1 tokens, the last of which is only predicted.

    Examples that do not fit are left out, the first ones first; then the question loses its beginning.
    """
    shown = (pool["label"] == 1).nonzero()[:, 0].tolist()
    contexts, completions = entries(pool, form), entries(pool, "completion")
    found = []
    for question, context, completion in zip(
        task["question"].tolist(), entries(task, form), entries(task, "completion"), strict=True
    ):
        chosen = [shown[i] for i in permutation(key(key_, question), len(shown))[:shots].tolist()]
        parts = [torch.cat([contexts[i], completions[i]]) for i in chosen] + [
            torch.cat([context, completion])
        ]
        while len(parts) > 1 and sum(map(len, parts)) > length + 1:
            del parts[0]
        found.append(Prompt(torch.cat(parts)[-length - 1 :], len(completion)))
    return found


@torch.no_grad()
def likelihoods(encoder: Any, asked: list[Prompt], device: torch.device) -> Tensor:
    """(n, 2): log p of each prompt's completion, in nats; and 1 where every token of it is the likeliest, else 0."""
    tokens = torch.nn.utils.rnn.pad_sequence([prompt.tokens for prompt in asked], batch_first=True).to(device)
    places = torch.arange(tokens.shape[1] - 1, device=device)
    ends = torch.tensor([len(prompt.tokens) for prompt in asked], device=device)[:, None] - 1
    wanted = (places < ends) & (places >= ends - torch.tensor([[p.asked] for p in asked], device=device))
    after = tokens[:, 1:][wanted]
    logits = exact(encoder.logits(encoder(tokens[:, :-1])[wanted]))
    row = wanted.nonzero()[:, 0]
    zeros = torch.zeros(len(asked), device=device, dtype=logits.dtype)
    log_p = zeros.index_add(0, row, -F.cross_entropy(logits, after, reduction="none"))
    missed = zeros.index_add(0, row, (logits.argmax(1) != after).to(logits.dtype))
    return torch.stack([log_p, (missed == 0).to(logits.dtype)], 1)


def best(scores: Tensor, greedy: Tensor, question: Tensor, right: Tensor) -> float:
    """scores, greedy, question, right (n,) of all choices -> percent of the questions that are answered rightly."""
    hits = []
    for one in question.unique():
        own = question == one
        hits.append(bool(greedy[own].all() if own.sum() == 1 else right[own][scores[own].argmax()]))
    return 100 * sum(hits) / len(hits)
