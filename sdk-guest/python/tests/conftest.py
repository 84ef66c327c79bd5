"""Each test registers its own functions."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from host_side import Reply, request  # noqa: E402

from unskew.evaluate import batch_evaluation, row_evaluation  # noqa: E402
from unskew.registry import registry  # noqa: E402


@pytest.fixture(autouse=True)
def empty_registry() -> Iterator[None]:
    registry.transforms.clear()
    registry.aggregates.clear()
    yield
    registry.transforms.clear()
    registry.aggregates.clear()


def call(columns: list[list[Any]], rows: int | None = None) -> Reply:
    """Sends columns to the transform that was registered last, as the host would."""
    transform = registry.transforms[-1]
    evaluate = batch_evaluation(transform) if transform.batch else row_evaluation(transform)
    kinds = [str(field.type) for field in transform.inputs]
    body = request(list(zip(kinds, columns)), rows)
    outputs = [(str(field.type), field.nullable) for field in transform.results.fields]
    return Reply(evaluate(body), outputs)
