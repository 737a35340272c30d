"""Views of other things than images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from repro import components
from repro.components import options_for
from repro.data.table import Ragged, Stream, Table
from repro.errors import UserError
from repro.views.draws import Draws

TEXTS = [[5, 6, 7, 8, 9, 10], [], [11], [12, 13, 14, 15]]


def kind(name: str, **options: Any) -> Any:
    folders = ("views.kinds",)
    return components.load(folders, name)(options_for(folders, "kind", {"kind": name, **options}))


def ragged(texts: list[list[int]]) -> Ragged:
    starts = torch.tensor([0, *map(len, texts)]).cumsum(0)
    return Ragged(torch.tensor([t for text in texts for t in text], dtype=torch.long), starts)


def draws(index: Tensor, key: int = 1) -> Draws:
    return Draws(key, 0, index)


def test_texts_are_copied_cut_and_padded() -> None:
    view = kind("tokens", length=4, count=3)
    fields = {"tokens": ragged(TEXTS)}
    expected = [(text + [0] * 4)[:4] for text in TEXTS]
    found = view(fields, draws(torch.arange(4)))["views"]
    assert found.shape == (4, 3, 4) and all(found[:, v].tolist() == expected for v in range(3))
    assert view.plain(fields).tolist() == expected
    assert view.options.shape((32, 70)) == (4, 70)


def test_pairs_and_a_first_mark() -> None:
    view = kind("tokens", length=3, fields=["tokens", "tokens_b"], count=2, start=True)
    fields = {"tokens": ragged(TEXTS), "tokens_b": ragged(TEXTS[::-1])}
    first, second = ([([2, *text] + [0] * 3)[:3] for text in texts] for texts in (TEXTS, TEXTS[::-1]))
    found = view(fields, draws(torch.arange(4)))["views"]
    assert [found[:, v].tolist() for v in range(4)] == [first, first, second, second]
    plain = view.plain(fields)
    assert plain.shape == (4, 2, 3) and plain[:, 0].tolist() == first and plain[:, 1].tolist() == second


def test_deleted_tokens_are_those_whose_numbers_are_low_and_others_move_up() -> None:
    view = kind("tokens", length=4, count=2, delete=0.4)
    index = torch.tensor([3, 8, 9, 70])
    found = view({"tokens": ragged(TEXTS)}, draws(index))["views"]
    for v in range(2):
        numbers = Draws(1, v, index).unit("delete", 6)
        for row, text in enumerate(TEXTS):
            kept = [t for place, t in enumerate(text) if numbers[row, place] >= 0.4]
            assert found[row, v].tolist() == (kept + [0] * 4)[:4]
    assert not torch.equal(found[:, 0], found[:, 1])


def test_masks_spare_the_padding_and_have_the_stated_rate() -> None:
    view = kind("tokens", length=50, mask=0.3)
    texts = [[7] * 40] * 400
    found = view({"tokens": ragged(texts)}, draws(torch.arange(400)))["views"][:, 0]
    assert found[:, 40:].eq(0).all() and found[:, :40].sub(4).mul(found[:, :40] - 7).eq(0).all()
    share = found[:, :40].eq(4).float().mean().item()
    assert share == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 16000) ** 0.5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
def test_a_view_depends_on_its_own_row_alone(rows: list[int]) -> None:
    """Also where longer texts stand in the batch."""
    view = kind("tokens", length=5, count=2, delete=0.3, mask=0.3)
    texts, index = ragged(TEXTS), torch.arange(4) * 7
    chosen = torch.tensor(rows)
    whole = view({"tokens": texts}, draws(index))["views"]
    part = view({"tokens": texts[chosen]}, draws(index[chosen]))["views"]
    assert torch.equal(part, whole[chosen])


def test_windows_begin_at_the_rows_place() -> None:
    view = kind("windows", length=3)
    stream = Stream(torch.arange(5, 15), torch.arange(10))
    fields = {"tokens": stream[torch.tensor([0, 4, 9])]}
    found = view(fields, draws(torch.tensor([0, 4, 9])))["views"]
    assert found.tolist() == [[[5, 6, 7, 8]], [[9, 10, 11, 12]], [[11, 12, 13, 14]]]
    assert view.plain(fields).tolist() == [[5, 6, 7], [9, 10, 11], [11, 12, 13]]
    assert view.options.shape((256, 70)) == (3, 70)


def test_windows_of_every_length_th_row_predict_each_token_once() -> None:
    stream = Stream(torch.arange(5, 5 + 61), torch.arange(61))
    table = Table(fields={"tokens": stream}, name="book", split="test", shape=(6, 70))
    options = options_for(("data.slices",), "name", {"name": "every", "stride": 6})
    chosen = components.load(("data.slices",), "every")(options)(table, 0)
    assert len(chosen) == 11 == options.rows(61, 0)
    windows = kind("windows", length=6)({"tokens": chosen["tokens"]}, draws(chosen["tokens"].at))["views"][
        :-1
    ]
    assert windows[:, 0, 1:].flatten().tolist() == stream.values[1:].tolist()


def test_fields_are_handed_on() -> None:
    view = kind("fields", count=2)
    fields = {
        "features": torch.randn(3, 5),
        "mask": torch.ones(3, 2),
        "target": torch.zeros(3),
        "t": ragged(TEXTS),
    }
    found = view(fields, draws(torch.arange(3)))
    assert found.keys() == {"features", "mask", "views"} and found["features"] is fields["features"]
    assert found["views"].shape == (3, 2, 5) and torch.equal(found["views"][:, 1], fields["features"])
    assert view.plain(fields) is fields["features"] and view.options.shape((5,)) == (5,)


def test_nodes_are_numbers() -> None:
    view = kind("node")
    fields = {"node": torch.tensor([4, 2]), "label": torch.tensor([0, 1])}
    found = view(fields, draws(torch.arange(2)))
    assert found["node"].tolist() == [4, 2] and found["views"].tolist() == [[4], [2]]
    assert view.plain(fields).tolist() == [4, 2]


@pytest.mark.parametrize("name", ["tokens", "windows", "fields", "node"])
def test_a_field_that_is_not_there_is_told(name: str) -> None:
    view = kind(name, **({"length": 3} if name in ("tokens", "windows") else {}))
    fields = {"image": torch.zeros(2, 1, 4, 4), "tokns": torch.zeros(2)}
    for action in (lambda: view(fields, draws(torch.arange(2))), lambda: view.plain(fields)):
        with pytest.raises(
            UserError, match=r"which the data has not; (did you mean `tokns`|there are image, tokns)"
        ):
            action()
