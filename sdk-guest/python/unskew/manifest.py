"""The manifest: what a module says of itself, as JSON."""

import json
from typing import Any

from .hints import check_name
from .registry import Registry
from .version import __version__

# The version of the manifest's form.
VERSION = "1.1"


def manifest(registry: Registry, name: str, description: str) -> str:
    """The manifest of all that was decorated, in the form of `wit/manifest.schema.json`."""
    check_name(name, "the module")
    document: dict[str, Any] = {"manifest_version": VERSION, "name": name}
    if description:
        document["description"] = description
    document["language"] = "python"
    document["sdk"] = f"unskew-python {__version__}"
    document["transforms"] = [
        _described(t.name, t.description)
        | {
            "inputs": [field.as_json() for field in t.inputs],
            "outputs": [field.as_json() for field in t.results.fields],
        }
        for t in registry.transforms
    ]
    document["aggregates"] = [
        _described(a.name, a.description)
        | {
            "inputs": [field.as_json() for field in a.inputs],
            "output": a.output.as_json(),
            "subtract": a.subtracts,
        }
        for a in registry.aggregates
    ]
    document |= definitions(registry)
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def definitions(registry: Registry) -> dict[str, Any]:
    """The sections of the document that are defined by hand elsewhere; those without content are left out."""
    sections = {
        "entities": registry.entities,
        "sources": registry.sources,
        "feature_views": registry.feature_views,
        "on_demand_feature_views": registry.on_demand_feature_views,
        "feature_services": registry.feature_services,
    }
    return {name: [one.document() for one in those] for name, those in sections.items() if those}


def _described(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "description": description} if description else {"name": name}
