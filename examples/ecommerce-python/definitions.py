"""What is served of the shop's events: for whom, of which transforms, over which windows."""

from datetime import datetime

from features import Spent, interest
from unskew import (
    Count,
    Entity,
    Feature,
    FeatureService,
    Int32,
    Last,
    Percentile,
    RequestSource,
    Source,
    Sum,
    TumblingWindow,
    UserAggregate,
    feature_view,
    on_demand_feature_view,
    sql,
)


class Event:
    """The columns of the event files, as `unskew-datagen` writes them."""

    event_timestamp: datetime
    user_id: str
    product_id: str
    event_type: str
    amount: float | None
    quantity: Int32 | None


class Checkout:
    """What comes with a question."""

    amount: float


user = Entity("user", join_keys="user_id", description="Who visits the shop.")
product = Entity("product", join_keys="product_id", description="What it sells.")
events = Source("events", Event, files=["data/events.parquet"], description="What users do.")
checkout = RequestSource("checkout", Checkout)


@feature_view(
    entities=user,
    source=events,
    transforms=[interest, sql(is_purchase="event_type = 'purchase'")],
    post_transforms=sql(purchases_per_event="cast(purchases_7d as double) / nullif(events_7d, 0)"),
    ttl="30d",
    owner="growth",
)
class UserActivity:
    """What a user did lately."""

    interest_1d = Feature(
        Sum("interest").over("1d"), default=0.0, description="Points of the last day."
    )
    interest_7d = Feature(Sum("interest").over("7d", hop="1h"), default=0.0)
    events_7d = Count().over("7d")
    purchases_7d = Count().over("7d").where("is_purchase")
    spent_30d = Feature(
        UserAggregate(Spent).over("30d").where("is_purchase"),
        default=0.0,
        description="What was spent, to the last bit.",
        tags={"unit": "euro"},
    )
    last_event = Last("event_type").over("30d")


@feature_view(entities=product, source=events, window=TumblingWindow("1h"), ttl="2d")
class ProductHours:
    """How a product did, hour by hour."""

    views = Count().where("event_type = 'view'")
    purchases = Count().where("event_type = 'purchase'")
    price_p95 = Percentile(0.95, "amount")


@on_demand_feature_view(inputs={"amount": checkout["amount"], "spent": UserActivity.spent_30d})
def share_of_month(amount: float, spent: float) -> float | None:
    """How large this checkout is beside what the user spent in a month."""
    return amount / (amount + spent) if amount + spent > 0 else None


checkout_risk = FeatureService(
    "checkout_risk",
    features=[UserActivity, share_of_month],
    description="What the model that looks at checkouts reads.",
)
