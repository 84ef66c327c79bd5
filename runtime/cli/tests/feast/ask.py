"""Asks a server by Feast's SDK, through the repository in the current folder, and prints what came as JSON."""

import json
import sys

from feast import FeatureStore

questions = json.load(sys.stdin)
store = FeatureStore(".")


def ask(features, rows, full):
    if isinstance(features, str):
        features = store.get_feature_service(features)
    try:
        response = store.get_online_features(features=features, entity_rows=rows, full_feature_names=full)
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}
    names = list(response.proto.metadata.feature_names.val)
    statuses = {name: [int(s) for s in r.statuses] for name, r in zip(names, response.proto.results)}
    kinds = {name: [v.WhichOneof("val") for v in r.values] for name, r in zip(names, response.proto.results)}
    return {"values": response.to_dict(), "statuses": statuses, "kinds": kinds}


print(json.dumps([ask(q["features"], q["rows"], q.get("full", False)) for q in questions]))
