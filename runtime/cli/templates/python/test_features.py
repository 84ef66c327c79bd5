import pytest
from features import MeanPrice, rate


def test_a_rate_needs_views():
    assert rate(1, 4) == 0.25
    assert rate(1, 0) is None
    assert rate(1, None) is None
    with pytest.raises(ValueError, match="negative"):
        rate(-1, 4)


def test_a_mean_price_merges():
    some, others = MeanPrice(), MeanPrice()
    some.update(500, 2)
    others.update(100, None)
    some.merge(others)
    assert some.finish() == 200.0
    assert MeanPrice().finish() is None
