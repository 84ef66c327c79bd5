import pytest
from features import rate


def test_a_rate_needs_views():
    assert rate(1, 4) == 0.25
    assert rate(1, 0) is None
    assert rate(1, None) is None
    with pytest.raises(ValueError, match="negative"):
        rate(-1, 4)
