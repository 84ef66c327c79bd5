"""Write feature transforms and aggregates that Unskew runs in its sandbox.

    from unskew import transform

    @transform
    def rate(purchases: int, views: int | None) -> float | None:
        "Purchases for each view."
        return purchases / views if views else None

The decorators register a function and give it back unchanged, so it can be
called and tested like any other. What is served of them, for whom and over
which windows is defined beside them:

    from unskew import Entity, Source, Sum, feature_view

    user = Entity("user")
    orders = Source("orders", Order, files=["data/orders.parquet"])

    @feature_view(entities=[user], source=orders)
    class UserOrders:
        spend_7d = Sum("amount").over("7d")
"""

from . import log
from .aggregate import aggregate
from .column import Column, NullableColumn
from .column_type import (
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    decimal128,
    embedding,
)
from .definitions import (
    ApproxDistinct,
    Avg,
    Count,
    CountDistinct,
    Entity,
    Feature,
    FeatureService,
    FeatureView,
    First,
    Last,
    LastN,
    Max,
    Min,
    MostFrequent,
    OnDemandFeatureView,
    Percentile,
    RequestSource,
    SessionWindow,
    SlidingWindow,
    Source,
    Stddev,
    StddevPop,
    Sum,
    TopK,
    TumblingWindow,
    UserAggregate,
    Variance,
    VariancePop,
    call,
    feature_view,
    on_demand_feature_view,
    sql,
)
from .exact import ExactSum
from .failure import AmbientError, DefinitionError
from .pinned_hash import pinned_hash
from .project_data import data
from .signature import outputs
from .transform import transform
from .version import __version__

__all__ = [
    "AmbientError",
    "ApproxDistinct",
    "Avg",
    "Column",
    "Count",
    "CountDistinct",
    "DefinitionError",
    "Entity",
    "ExactSum",
    "Feature",
    "FeatureService",
    "FeatureView",
    "First",
    "Float32",
    "Float64",
    "Int16",
    "Int32",
    "Int64",
    "Int8",
    "Last",
    "LastN",
    "Max",
    "Min",
    "MostFrequent",
    "NullableColumn",
    "OnDemandFeatureView",
    "Percentile",
    "RequestSource",
    "SessionWindow",
    "SlidingWindow",
    "Source",
    "Stddev",
    "StddevPop",
    "Sum",
    "TopK",
    "TumblingWindow",
    "UInt16",
    "UInt32",
    "UInt64",
    "UInt8",
    "UserAggregate",
    "Variance",
    "VariancePop",
    "__version__",
    "aggregate",
    "call",
    "data",
    "decimal128",
    "embedding",
    "feature_view",
    "log",
    "on_demand_feature_view",
    "outputs",
    "pinned_hash",
    "sql",
    "transform",
]
