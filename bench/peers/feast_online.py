"""Makes Feast's repository for the figures of serving: `feast_online.py FOLDER REDIS_PORT`, then `feast serve` there.

Users 0 to 999 have two features in the view `stats`, fifty in `wide`; `score` is computed on demand from `stats`, in
Feast's Python mode, as its documentation advises for serving. The values are those of `value`, which the project of
our side is filled with, too.
"""

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

USERS = 1000
WIDE = 50
EVENT_TIME = datetime(2026, 1, 1, tzinfo=timezone.utc)


def value(user, feature):
    """Of a user's feature, by its number; binary fractions, so that any arithmetic on them is exact."""
    return ((user * 31 + feature * 17) % 997) / 8


def main(folder, redis_port):
    import pandas as pd
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, ValueType
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: registry.db\n"
        f"online_store: {{type: redis, connection_string: 'localhost:{redis_port}'}}\n"
        "entity_key_serialization_version: 3\n"
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)

    def view(name, features):
        batch = FileSource(name=f"{name}_file", path=str(folder / "none.parquet"), timestamp_field="event_timestamp")
        schema = [Field(name=feature, dtype=Float64) for feature in features]
        source = PushSource(name=f"{name}_push", batch_source=batch)
        return FeatureView(name=name, entities=[user], ttl=timedelta(days=36500), schema=schema, source=source)

    stats = view("stats", ["x", "y"])
    names = [f"f{number:02}" for number in range(WIDE)]
    wide = view("wide", names)

    @on_demand_feature_view(sources=[stats], schema=[Field(name="score", dtype=Float64)], mode="python")
    def score(inputs):
        return {"score": [x * y + 1 for x, y in zip(inputs["x"], inputs["y"])]}

    services = [FeatureService(name="scored", features=[score]), FeatureService(name="wide_service", features=[wide])]
    pd.DataFrame({"user_id": [0], "event_timestamp": [EVENT_TIME]}).to_parquet(folder / "none.parquet")
    store = FeatureStore(repo_path=str(folder))
    store.apply([user, stats, wide, score, *services])
    users = list(range(USERS))
    keys = {"user_id": users, "event_timestamp": [EVENT_TIME] * USERS}
    store.write_to_online_store(
        "stats", pd.DataFrame(keys | {name: [value(u, n) for u in users] for n, name in enumerate(["x", "y"])})
    )
    store.write_to_online_store(
        "wide", pd.DataFrame(keys | {name: [value(u, n) for u in users] for n, name in enumerate(names)})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
