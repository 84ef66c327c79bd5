"""Features of {{name}}."""

from unskew import transform


@transform
def rate(purchases: int, views: int | None) -> float | None:
    """Purchases for each view; nothing where nobody looked."""
    if not views:
        return None
    if views < 0 or purchases < 0:
        raise ValueError(f"{purchases} purchases of {views} views: a count is negative")
    return purchases / views
