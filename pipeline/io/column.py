"""Sequence whose items are made when one is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item", covariant=True)


class Column(Sequence[Item]):
    """Sequence of items that are held in another form, which takes less memory."""

    @abstractmethod
    def item(self, row: int) -> Item:
        """Item of a row from 0 to the last."""

    @overload
    def __getitem__(self, number: int) -> Item: ...
    @overload
    def __getitem__(self, number: slice) -> list[Item]: ...
    def __getitem__(self, number: int | slice) -> Item | list[Item]:
        if isinstance(number, slice):
            return [self.item(row) for row in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        return self.item(number % len(self))

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))
