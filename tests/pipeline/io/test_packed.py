"""Packed sequence: a list in every respect, of items made when one is asked for."""

import pytest

from pipeline.io.packed import PackedSequence


class Squares(PackedSequence[int]):
    def __init__(self) -> None:
        self.made: list[int] = []

    def __len__(self) -> int:
        return 5

    def item(self, row: int) -> int:
        self.made.append(row)
        return row * row


def test_it_is_read_as_a_list_is() -> None:
    squares, expected = Squares(), [0, 1, 4, 9, 16]
    assert list(squares) == expected and squares[1:-1:2] == expected[1:-1:2]
    assert [squares[number] for number in range(-5, 5)] == expected * 2
    assert 9 in squares and 8 not in squares and squares.index(16) == 4
    for outside in (5, -6):
        with pytest.raises(IndexError):
            squares[outside]


def test_an_item_is_made_when_it_is_asked_for() -> None:
    squares = Squares()
    assert squares[3] == 9 and squares.made == [3]
