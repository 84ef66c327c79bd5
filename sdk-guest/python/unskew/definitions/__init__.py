"""Definitions: entities, sources, feature views, on-demand views and services.

Each object says of itself where it stands in the user's code, so that whoever
reads the document that they become can name the line. See `docs/definitions.md`
for what each setting means.
"""

from .aggregates import (
    Aggregation,
    ApproxDistinct,
    Avg,
    Count,
    CountDistinct,
    First,
    Last,
    LastN,
    Max,
    Min,
    MostFrequent,
    Percentile,
    Stddev,
    StddevPop,
    Sum,
    TopK,
    UserAggregate,
    Variance,
    VariancePop,
)
from .entity import Entity
from .feature import Feature
from .on_demand import OnDemandFeatureView, on_demand_feature_view
from .service import FeatureService
from .source import RequestSource, Source
from .steps import call, sql
from .view import FeatureView, feature_view
from .windows import SessionWindow, SlidingWindow, TumblingWindow

__all__ = [
    "Aggregation",
    "ApproxDistinct",
    "Avg",
    "Count",
    "CountDistinct",
    "Entity",
    "Feature",
    "FeatureService",
    "FeatureView",
    "First",
    "Last",
    "LastN",
    "Max",
    "Min",
    "MostFrequent",
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
    "UserAggregate",
    "Variance",
    "VariancePop",
    "call",
    "feature_view",
    "on_demand_feature_view",
    "sql",
]
