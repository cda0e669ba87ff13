import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.token_sequences import TokenSequences
from model.utils import build_vocabulary, encode

NAMES = ["anna", "bo", "li", "\U00010330na", "an"]
VOCABULARY = build_vocabulary(("a", "l", "n", "\U00010330"))
ROWS = [encode(name, VOCABULARY) for name in NAMES]


def _lists(sequences: TokenSequences) -> list[list[int]]:
    return [ids.tolist() for ids in sequences]


def test_names_are_encoded_as_one_by_one() -> None:
    assert _lists(TokenSequences.encode(NAMES, VOCABULARY)) == ROWS
    assert len(TokenSequences.encode([], VOCABULARY)) == 0


def test_sequences_are_packed_joined_and_taken() -> None:
    packed = TokenSequences.pack(ROWS)
    assert TokenSequences.pack(packed) is packed
    assert _lists(TokenSequences.concatenate([packed, TokenSequences.pack([]), packed])) == ROWS + ROWS
    assert _lists(packed.take(np.array([3, 0, 0]))) == [ROWS[3], ROWS[0], ROWS[0]]
    assert len(packed.take(np.array([], dtype=np.int64))) == 0


def test_many_sequences_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.token_sequences._CHUNK", 2)
    order = np.array([4, 1, 3, 0, 2])
    assert _lists(TokenSequences.pack(ROWS).take(order)) == [ROWS[i] for i in order]


def test_each_length_is_stacked_by_itself() -> None:
    packed = TokenSequences.pack(ROWS)
    stacks = [(positions.tolist(), packed.stack(positions).tolist()) for positions in packed.by_length()]
    assert stacks == [([1, 2, 4], [ROWS[1], ROWS[2], ROWS[4]]), ([3], [ROWS[3]]), ([0], [ROWS[0]])]
    assert TokenSequences.pack([]).by_length() == []


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6)))
def test_the_groups_of_a_length_hold_every_sequence_once(sequences: list[list[int]]) -> None:
    packed = TokenSequences.pack(sequences)
    groups = [
        (int(position), row.tolist())
        for positions in packed.by_length()
        for position, row in zip(positions, packed.stack(positions), strict=True)
    ]
    assert sorted(groups) == list(enumerate(sequences))
