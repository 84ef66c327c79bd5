import math
from datetime import UTC, datetime

import pytest

from features import Spent, day_time, interest


def test_what_shows_interest():
    assert interest("view", None) == 1.0
    assert interest(" Purchase", 1) == 10.0
    assert interest("purchase", 4) == 30.0
    with pytest.raises(ValueError, match="'refund' is no type of event"):
        interest("refund", None)


def test_midnight_and_noon_are_opposite():
    midnight = day_time(datetime(2026, 1, 1, tzinfo=UTC))
    noon = day_time(datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert (midnight.day_sine, midnight.day_cosine) == (0.0, 1.0)
    assert math.isclose(noon.day_cosine, -1.0)


def test_a_sum_is_exact_in_any_order():
    parts = [1e16, 1.0, -1e16, 1e-3]
    sums = []
    for amounts in (parts, parts[::-1]):
        spent = Spent()
        for amount in amounts:
            spent.update(amount, 1)
        sums.append(spent.finish())
    assert sums == [1.001, 1.001]
    assert Spent().finish() is None
