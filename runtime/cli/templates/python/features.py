"""Features of {{name}}."""

from datetime import datetime

from unskew import Avg, Count, Entity, Feature, FeatureService, Source, aggregate, feature_view, transform


@transform
def rate(purchases: int, views: int | None) -> float | None:
    """Purchases for each view; nothing where nobody looked."""
    if not views:
        return None
    if views < 0 or purchases < 0:
        raise ValueError(f"{purchases} purchases of {views} views: a count is negative")
    return purchases / views


@aggregate
class MeanPrice:
    """Mean price of a piece, in cents."""

    # The state. Integers, since sums of floats depend on their order.
    cents: int
    pieces: int

    def __init__(self) -> None:
        self.cents = 0
        self.pieces = 0

    def update(self, cents: int, pieces: int | None) -> None:
        self.cents += cents
        self.pieces += 1 if pieces is None else pieces

    def merge(self, other: "MeanPrice") -> None:
        self.cents += other.cents
        self.pieces += other.pieces

    def finish(self) -> float | None:
        return self.cents / self.pieces if self.pieces > 0 else None


class Visit:
    """The columns of the event files."""

    user_id: str
    purchases: int
    views: int | None
    event_timestamp: datetime


user = Entity("user")
visits = Source("visits", Visit, files=["data/visits.parquet"])


@feature_view(entities=user, source=visits, transforms=[rate], ttl="30d")
class UserVisits:
    """What a user did in the last week."""

    rate_7d = Feature(Avg("rate").over("7d"), description="Mean of the visits' rates.")
    visits_7d = Count().over("7d")


recommendations = FeatureService("recommendations", features=[UserVisits])
