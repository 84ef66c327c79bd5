"""The definition of shop.yaml, in Python."""

from datetime import datetime, timedelta

from unskew import (
    Count,
    Entity,
    Feature,
    FeatureService,
    FeatureView,
    Int32,
    LastN,
    Percentile,
    RequestSource,
    Source,
    Sum,
    TumblingWindow,
    UserAggregate,
    aggregate,
    call,
    feature_view,
    on_demand_feature_view,
    sql,
    transform,
)


class Order:
    user_id: str | None
    bank: str | None
    account_number: int | None
    amount: float | None
    quantity: Int32 | None
    sizes: list[int | None] | None
    order_id: str | None
    ordered_at: datetime
    known_at: datetime | None


class Checkout:
    amount: float


@transform
def order_value(amount: float, pieces: Int32) -> float:
    return amount * pieces


@aggregate
class Spent:
    cents: int = 0

    def update(self, amount: float) -> None:
        self.cents += round(amount * 100)

    def merge(self, other: "Spent") -> None:
        self.cents += other.cents

    def finish(self) -> int | None:
        return self.cents


user = Entity(
    "user", join_keys="user_id", description="Who orders.", owner="risk", tags={"team": "payments"}
)
account = Entity("account", join_keys={"bank": str, "number": int})
orders = Source(
    "orders",
    Order,
    columns={"user_id": "uid"},
    event_timestamp="ordered_at",
    created_timestamp="known_at",
    event_id="order_id",
    out_of_orderness="10s",
    max_future_skew=timedelta(minutes=2),
    allowed_lateness=timedelta(minutes=90),
    bad_rows="refuse",
    files="data/orders/*.parquet",
    kafka="orders",
    push=True,
    description="What was ordered.",
)
checkout = RequestSource("checkout", Checkout)


@feature_view(
    entities=user,
    source=orders,
    filter="amount > 0",
    transforms=[
        sql(value="amount * quantity", large="amount > 100"),
        call(order_value, inputs={"pieces": "quantity"}, outputs={"order_value": "worth"}),
    ],
    post_transforms=[sql(mean="spend_7d / nullif(orders_7d, 0)")],
    ttl="30d",
    on_error="default",
)
class UserOrders:
    """What a user orders."""

    spend_7d = Feature(
        Sum("value").over("7d", hop="1h").where("value > 10"),
        type=float,
        default=0.0,
        description="What was spent",
        owner="risk",
        tags={"pii": "no"},
    )
    orders_7d = Count().over(timedelta(days=7))
    p95 = Percentile(0.95, "worth").over("30d")
    recent = LastN(5, "amount").over("1d")
    spent = UserAggregate(Spent, inputs={"amount": "value"}).over("7d")


account_hours = FeatureView(
    "account_hours",
    version=2,
    entities=[account],
    join_keys={"number": "account_number"},
    source=orders,
    window=TumblingWindow("1h", offset="15m"),
    features={"orders": Count(), "total": Sum("amount")},
)


@on_demand_feature_view(inputs={"amount": checkout["amount"], "spend": UserOrders.spend_7d})
def price_ratio(amount: float, spend: float) -> float | None:
    """How large this order is among the user's."""
    return amount / spend if spend else None


@on_demand_feature_view(
    inputs=[checkout["amount"]],
    transforms=sql(share="amount / nullif({{user_orders.spend_7d}}, 0)"),
    on_error="fail",
    depends_on=[UserOrders.spend_7d, checkout["amount"]],
)
class PriceCheck:
    share = Feature(default=1)


fraud = FeatureService(
    "fraud", features=[UserOrders, account_hours["total"], price_ratio, PriceCheck.share], owner="risk"
)
