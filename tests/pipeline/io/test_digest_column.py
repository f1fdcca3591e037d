"""Column of digests: a list of texts in every respect, and small."""

import hashlib
import sys

import numpy as np
import pytest

from pipeline.io.digest_column import DigestColumn
from pipeline.io.texts import BLOCK

DIGESTS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(6)]
ODD = ["missing", "", DIGESTS[0].upper(), DIGESTS[1][:-1] + " ", "g" * 64, "ß" * 64, DIGESTS[2]]


@pytest.mark.parametrize("texts", [[], DIGESTS, ODD, DIGESTS * BLOCK, [*DIGESTS * BLOCK, *ODD, *DIGESTS]])
def test_it_holds_what_a_list_holds(texts: list[str]) -> None:
    column = DigestColumn(iter(texts))
    assert len(column) == len(texts) and list(column) == texts
    assert column[1:-1:2] == texts[1:-1:2] and [column[number] for number in range(-len(texts), 0)] == texts
    for outside in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            column[outside]


def test_columns_are_joined_and_divided() -> None:
    column = DigestColumn(DIGESTS[:2])
    column.extend(DigestColumn(ODD))
    column.append(bytes.fromhex(DIGESTS[5]))
    texts = [*DIGESTS[:2], *ODD, DIGESTS[5]]
    assert list(column) == texts and column == DigestColumn(texts) and column != DigestColumn(texts[:-1])
    assert column.at(np.arange(len(texts))) is column
    rows = np.array([9, 2, 2, 0, 3])
    assert list(column.at(rows)) == [texts[row] for row in rows]


def test_bytes_become_digests() -> None:
    digests = np.array([list(bytes.fromhex(one)) for one in DIGESTS[:2]], np.uint8)
    assert list(DigestColumn.of_bytes(digests, np.array([True, False]), "missing")) == [DIGESTS[0], "missing"]
    assert list(DigestColumn.of_bytes(np.empty((0, 32), np.uint8), np.empty(0, bool), "missing")) == []


def test_equal_digests_have_equal_numbers() -> None:
    numbers = DigestColumn([*DIGESTS, "missing", "", *DIGESTS, "missing"]).numbers
    assert numbers.tolist() == [*numbers[:8], *numbers[:7]] and len(set(numbers.tolist())) == 8


def test_a_digest_takes_its_bytes() -> None:
    assert sys.getsizeof(DigestColumn(DIGESTS * 2000)._bytes) < 12_000 * 40
