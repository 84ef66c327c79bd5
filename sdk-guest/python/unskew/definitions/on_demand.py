"""On-demand views: features of other views and request fields, transformed when asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..failure import caller_locals
from ..registry import registry
from ..signature import first_line
from ..transform import register as register_transform
from .aggregates import Named
from .feature import Feature
from .place import kind_of, mistake, place
from .reference import FeatureReference, Reference, reference_text
from .steps import StepLike, call, steps_of
from .view import _View, members_of, name_of, outputs_of

T = TypeVar("T")


class OnDemandFeatureView(_View):
    """Features that are computed when they are asked for.

        price_check = OnDemandFeatureView(
            "price_check",
            inputs={"spend": UserOrders.spend_7d, "amount": checkout["amount"]},
            transforms=[sql(ratio="amount / nullif(spend, 0)")],
        )

    * `inputs`: the column of each feature or request field that it reads. SQL
      may also name a feature directly, as `{{user_orders.spend_7d}}`. The
      column `request_timestamp` is always there.
    * `features`: names with `Feature(...)`, or names alone; every output if
      none are given.
    """

    def __init__(
        self,
        name: str,
        *,
        transforms: "Sequence[StepLike] | StepLike",
        inputs: "Mapping[str, FeatureReference] | Sequence[FeatureReference] | None" = None,
        features: "Mapping[str, Feature] | Sequence[str] | None" = None,
        version: int = 1,
        on_error: str | None = None,
        depends_on: "Sequence[FeatureReference] | None" = None,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("on-demand view", name, place(), description, owner, tags)
        self._begin(version, None, on_error, depends_on)
        self._inputs = self._named(inputs)
        self._transforms = steps_of(transforms, self.at, f"{self.what}: transforms")
        self._listed: list[str] | None = None
        if isinstance(features, Mapping):
            self._take(features)
        elif isinstance(features, Sequence) and all(isinstance(f, str) for f in features):
            self._listed = [features] if isinstance(features, str) else list(features)
        elif features is not None:
            self._wrong_features(features)
        registry.on_demand_feature_views.append(self)

    def _take(self, features: Mapping[str, Any]) -> None:
        for name, member in features.items():
            if isinstance(member, Feature) and member.aggregation is None:
                self.members[name] = member
            else:
                mistake(
                    getattr(member, "at", self.at),
                    f"{self.what}: {name} is {kind_of(member)}; an on-demand view has no "
                    "aggregates: its features are Feature(...) of the outputs of its steps",
                )

    def _wrong_features(self, features: Any) -> None:
        mistake(
            self.at,
            f"{self.what}: features is {kind_of(features)}; give a list of names, or a mapping "
            "from names to Feature(...)",
        )

    def _named(self, inputs: Any) -> dict[str, Any]:
        if inputs is None:
            return {}
        if isinstance(inputs, Mapping):
            return dict(inputs)
        if not isinstance(inputs, Sequence) or isinstance(inputs, str):
            mistake(
                self.at,
                f"{self.what}: inputs is {kind_of(inputs)}; give a mapping from column names to "
                "features and request fields",
            )
            return {}
        named: dict[str, Any] = {}
        for one in inputs:
            column = _column_of(one)
            if column in named:
                mistake(
                    self.at,
                    f"{self.what}: inputs: two are named {column}; give a mapping from column "
                    "names of your choice",
                )
            named[column] = one
        return named

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        shown = self._head()
        what = f"{self.what}: inputs"
        inputs = {c: reference_text(one, self.at, f"{what}: {c}") for c, one in self._inputs.items()}
        if inputs:
            shown["inputs"] = {c: text for c, text in inputs.items() if text is not None}
        shown["transforms"] = [step.document() for step in self._transforms]
        if self._listed is not None:
            features: dict[str, Any] = {
                "features": [{"name": name, "at": self.at} for name in self._listed]
            }
        else:
            features = self._features(outputs_of(self._transforms))
        return shown | features | self._policies() | self._dependencies() | self.tail()


def _column_of(one: Any) -> str:
    """The name that an input has where none is given: that of the feature or field."""
    if isinstance(one, str):
        return one.partition("@")[0].rpartition(":")[2]
    if isinstance(one, Reference):
        return one.part
    if isinstance(one, Named):
        return one.__unskew_member__[1] or ""
    return getattr(one, "name", "")


def on_demand_feature_view(
    *,
    inputs: "Mapping[str, FeatureReference] | Sequence[FeatureReference] | None" = None,
    transforms: "Sequence[StepLike] | StepLike | None" = None,
    features: "Mapping[str, Feature] | Sequence[str] | None" = None,
    name: str | None = None,
    version: int = 1,
    output: str | None = None,
    outputs: tuple[str, ...] | None = None,
    batch: bool = False,
    on_error: str | None = None,
    depends_on: "Sequence[FeatureReference] | None" = None,
    description: str | None = None,
    owner: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Callable[[T], T]:
    """Makes an on-demand view of a function, or of a class; gives it back unchanged.

    A function is its only step, as if it were decorated with `@transform`
    (`output`, `outputs` and `batch` are those of `@transform`); its arguments
    are the columns of `inputs`:

        @on_demand_feature_view(inputs={"spend": UserOrders.spend_7d, "amount": checkout["amount"]})
        def price_ratio(amount: float, spend: float) -> float | None:
            return amount / spend if spend else None

    The attributes of a class are its features, `transforms` its steps:

        @on_demand_feature_view(
            inputs=[checkout["amount"]],
            transforms=[sql(ratio="amount / nullif({{user_orders.spend_7d}}, 0)")],
        )
        class PriceCheck:
            ratio = Feature(default=0.0)
    """
    local_names = caller_locals(1)

    def make(target: Any) -> Any:
        shared: dict[str, Any] = dict(
            inputs=inputs,
            version=version,
            on_error=on_error,
            depends_on=depends_on,
            description=first_line(target) if description is None else description,
            owner=owner,
            tags=tags,
        )
        if isinstance(target, type):
            view_name = name or name_of(target)
            members: Any = members_of(target, f"on-demand view {view_name}")
            view = OnDemandFeatureView(
                view_name,
                transforms=() if transforms is None else transforms,
                features=members or features,
                **shared,
            )
        else:
            if not any(made.function is target for made in registry.transforms):
                register_transform(target, name, output, outputs, batch, local_names)
            if transforms is not None:
                mistake(
                    place(),
                    "@on_demand_feature_view: a function is itself the view's step; leave "
                    "`transforms` out, or decorate a class",
                )
            view_name = name or getattr(target, "__name__", "")
            view = OnDemandFeatureView(
                view_name, transforms=[call(target)], features=features, **shared
            )
        try:
            target.__unskew_view__ = view
        except AttributeError:
            mistake(place(), f"@on_demand_feature_view: {kind_of(target)} is no function or class")
        return target

    return make
