from datetime import datetime, timedelta

from unskew import *


class Order:
    user_id: str | None
    amount: float
    at: datetime


user = Entity("user", join_keys={"user_id": str}, tags={"a": "b"})
orders = Source("orders", Order, event_timestamp="at", columns={"amount": "price"}, files=["a/*"])
checkout = RequestSource("checkout", {"amount": float})


@transform
def twice(amount: float) -> float:
    return 2 * amount


@feature_view(
    entities=[user], source=orders, filter="amount > 0", transforms=[twice, sql(a="amount + 1")],
    ttl=timedelta(days=1), post_transforms=sql(mean="s / n"),
)
class Orders:
    "Of users."

    s = Feature(Sum("twice").over("7d", hop="1h").where("a > 1"), default=0.0)
    n = Count().over("7d")
    _p = Percentile(0.5, "amount").over("1d")


FeatureView("hours", entities=user, source="orders", window=TumblingWindow("1h"), features={"n": Count()})


@on_demand_feature_view(inputs=[checkout["amount"], Orders.s])
def ratio(amount: float, s: float) -> float:
    return amount / s


FeatureService("all", features=[Orders, ratio, "hours:n@v1"])
