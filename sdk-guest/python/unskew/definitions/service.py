"""Feature services: what one model reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..registry import registry
from .described import Described
from .place import kind_of, mistake, place
from .reference import FeatureReference, reference_text, view_of, whole_text


class FeatureService(Described):
    """The features that one model reads.

        fraud = FeatureService("fraud", features=[UserOrders, PriceCheck.ratio, "shops:rating@v2"])

    A view stands for all of its features; as text, `@v2` pins its version.
    """

    def __init__(
        self,
        name: str,
        *,
        features: "Sequence[FeatureReference | Any]",
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("feature service", name, place(), description, owner, tags)
        self._features: list[Any] = []
        if isinstance(features, Sequence) and not isinstance(features, str):
            self._features = list(features)
        else:
            mistake(
                self.at,
                f"{self.what}: features is {kind_of(features)}; give a list of views and features",
            )
        registry.feature_services.append(self)

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        shown = []
        for one in self._features:
            view = None if isinstance(one, str) else view_of(one)
            text = whole_text(view) if view else reference_text(one, self.at, self.what)
            if text is not None:
                shown.append(text)
        return self.head() | {"features": shown} | self.tail()
