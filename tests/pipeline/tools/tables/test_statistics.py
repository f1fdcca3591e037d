"""Student's t by the books' tables, and by hand."""

import pytest

from pipeline.tools.tables.statistics import Summary, summary, t_quantile, verdict


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (2, 4.303), (9, 2.262), (10, 2.228), (30, 2.042)])
def test_quantiles_of_the_books(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=0.004)


def test_three_seeds_by_hand():
    found = summary({2: 0.3, 0: 0.1, 1: 0.2})
    assert found.seeds == {"0": 0.1, "1": 0.2, "2": 0.3}
    assert found.mean == pytest.approx(0.2) and found.sd == pytest.approx(0.1)
    assert found.high - found.mean == pytest.approx(4.3027 * 0.1 / 3**0.5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_one_seed_has_no_interval_and_none_no_figure():
    assert summary({4: 0.5}) == Summary({"4": 0.5}, 0.5, None, None, None)
    assert summary({}) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.05, 0.06, 0.055), "holds"),
        ((-0.05, -0.06, -0.055), "opposite"),
        ((0.05, -0.01, 0.02), "undecided"),
        ((0.0, 0.0), "undecided"),
        ((0.3,), "undecided"),
        ((), "not measured"),
    ],
)
def test_an_ordering_holds_when_the_whole_interval_says_so(values, said):
    assert verdict(summary(dict(enumerate(values)))) == said
