"""Feature views: an entity, a source, steps, aggregates over windows, and the features served."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..registry import registry
from ..signature import first_line
from .aggregates import Aggregation, Named
from .described import Described
from .duration import Duration, duration_text
from .entity import Entity
from .feature import Feature
from .place import doubt, kind_of, mistake, place
from .reference import Reference, reference_text
from .source import RequestSource, Source
from .steps import Step, StepLike, steps_of
from .windows import Window

C = TypeVar("C", bound=type)

ON_ERROR = ("null", "default", "fail")


class _View(Described):
    """What feature views and on-demand views share."""

    version: int
    members: dict[str, "Aggregation | Feature"]

    def _begin(self, version: Any, ttl: Any, on_error: Any, depends_on: Any) -> None:
        self.version = 1
        if isinstance(version, int) and not isinstance(version, bool):
            self.version = version
        else:
            mistake(self.at, f"{self.what}: version is {kind_of(version)}; give a number from 1 on")
        self._ttl = None if ttl is None else duration_text(ttl, self.at, f"{self.what}: ttl")
        self._on_error = on_error
        if on_error is not None and on_error not in ON_ERROR:
            doubt(self.at, f"{self.what}: on_error is {on_error!r}; give one of {', '.join(ON_ERROR)}")
            self._on_error = str(on_error)
        self._depends_on = depends_on
        self.members = {}

    def __getitem__(self, feature: str) -> Reference:
        """A feature, for whoever reads it: `user_orders["spend_7d"]`."""
        return Reference(self, feature, place())  # type: ignore[arg-type]

    def _dependencies(self) -> dict[str, Any]:
        if self._depends_on is None:
            return {}
        given = [self._depends_on] if isinstance(self._depends_on, str) else self._depends_on
        texts = [reference_text(one, self.at, f"{self.what}: depends_on") for one in given]
        return {"depends_on": [text for text in texts if text is not None]}

    def _policies(self) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if self._ttl is not None:
            shown["ttl"] = self._ttl
        if self._on_error is not None:
            shown["on_error"] = self._on_error
        return shown

    def _features(self, outputs: Sequence[str]) -> dict[str, Any]:
        """The list of features; nothing where every output is one, as it is."""
        hidden = any(name.startswith("_") for name in self.members)
        if not hidden and not any(isinstance(m, Feature) for m in self.members.values()):
            return {}
        shown = [
            member.document(name, self.what)
            if isinstance(member, Feature)
            else {"name": name, "at": member.at}
            for name, member in self.members.items()
            if not name.startswith("_")
        ]
        shown += [
            {"name": name, "at": self.at}
            for name in outputs
            if name not in self.members and not name.startswith("_")
        ]
        return {"features": shown}

    def _head(self) -> dict[str, Any]:
        head = self.head()
        return head if self.version == 1 else head | {"version": self.version}


class FeatureView(_View):
    """Features of an entity, from the events of one source.

        user_orders = FeatureView(
            "user_orders",
            entities=[user],
            source=orders,
            transforms=[sql(value="amount * quantity")],
            features={"spend_7d": Sum("value").over("7d"), "orders_7d": Count().over("7d")},
        )

    The same as a class is written with `@feature_view`, which see.
    """

    def __init__(
        self,
        name: str,
        *,
        entities: "Entity | str | Sequence[Entity | str]",
        source: Source | str,
        features: "Mapping[str, Aggregation | Feature]",
        version: int = 1,
        join_keys: Mapping[str, str] | None = None,
        filter: str | None = None,
        transforms: "Sequence[StepLike] | StepLike | None" = None,
        window: Window | None = None,
        post_transforms: "Sequence[StepLike] | StepLike | None" = None,
        ttl: Duration | None = None,
        on_error: str | None = None,
        depends_on: Sequence[Any] | None = None,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("feature view", name, place(), description, owner, tags)
        self._begin(version, ttl, on_error, depends_on)
        self._entities = self._names(entities)
        self._join_keys = dict(join_keys or {})
        self._source = self._source_name(source)
        self._filter = filter
        if filter is not None and not isinstance(filter, str):
            mistake(self.at, f"{self.what}: filter is {kind_of(filter)}; give SQL as text")
            self._filter = None
        self._window = window
        if window is not None and not isinstance(window, Window):
            mistake(
                self.at,
                f"{self.what}: window is {kind_of(window)}; give TumblingWindow(...), "
                "SlidingWindow(...) or SessionWindow(...)",
            )
            self._window = None
        self._transforms = steps_of(transforms, self.at, f"{self.what}: transforms")
        self._post_transforms = steps_of(post_transforms, self.at, f"{self.what}: post_transforms")
        self._take(features)
        registry.feature_views.append(self)

    def _take(self, features: Any) -> None:
        if not isinstance(features, Mapping):
            mistake(
                self.at,
                f"{self.what}: features is {kind_of(features)}; give a mapping from names to "
                "aggregates or Feature(...)",
            )
            return
        for name, member in features.items():
            if isinstance(member, (Aggregation, Feature)):
                self.members[name] = member
            else:
                mistake(
                    self.at,
                    f"{self.what}: {name} is {kind_of(member)}; give an aggregate, such as "
                    "Sum('amount').over('7d'), or Feature(...)",
                )

    def _names(self, entities: Any) -> list[str]:
        given = [entities] if isinstance(entities, (Entity, str)) else entities
        if not isinstance(given, Sequence):
            mistake(self.at, f"{self.what}: entities is {kind_of(entities)}; give a list of Entity")
            return []
        names = []
        for entity in given:
            if isinstance(entity, (Entity, str)):
                names.append(entity if isinstance(entity, str) else entity.name)
            else:
                mistake(self.at, f"{self.what}: {kind_of(entity)} is no Entity")
        return names

    def _source_name(self, source: Any) -> str:
        if isinstance(source, (Source, RequestSource)):
            return source.name
        if isinstance(source, str):
            return source
        mistake(self.at, f"{self.what}: its source is {kind_of(source)}; give a Source")
        return ""

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        shown = self._head() | {"entities": self._entities}
        if self._join_keys:
            shown["join_keys"] = self._join_keys
        shown["source"] = self._source
        if self._filter is not None:
            shown["filter"] = self._filter
        if self._transforms:
            shown["transforms"] = [step.document() for step in self._transforms]
        if self._window is not None:
            shown["window"] = self._window.document()
        aggregates = [
            aggregation.document(name)
            for name, member in self.members.items()
            if (aggregation := _aggregation(member)) is not None
        ]
        if aggregates:
            shown["aggregates"] = aggregates
        if self._post_transforms:
            shown["post_transforms"] = [step.document() for step in self._post_transforms]
        served = self._post_transforms if aggregates else self._transforms
        return (
            shown
            | self._features(outputs_of(served))
            | self._policies()
            | self._dependencies()
            | self.tail()
        )


def _aggregation(member: "Aggregation | Feature") -> Aggregation | None:
    return member.aggregation if isinstance(member, Feature) else member


def outputs_of(steps: Sequence[Step]) -> list[str]:
    """The columns that steps make, each once."""
    return list(dict.fromkeys(name for step in steps for name in step.outputs()))


def feature_view(
    *,
    entities: "Entity | str | Sequence[Entity | str]",
    source: Source | str,
    name: str | None = None,
    version: int = 1,
    join_keys: Mapping[str, str] | None = None,
    filter: str | None = None,
    transforms: "Sequence[StepLike] | StepLike | None" = None,
    window: Window | None = None,
    post_transforms: "Sequence[StepLike] | StepLike | None" = None,
    ttl: Duration | None = None,
    on_error: str | None = None,
    depends_on: Sequence[Any] | None = None,
    description: str | None = None,
    owner: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Callable[[C], C]:
    """Makes a feature view of a class, whose attributes are its features.

        @feature_view(
            entities=[user], source=orders, filter="amount > 0",
            transforms=[sql(value="amount * quantity")], ttl="30d",
        )
        class UserOrders:
            "What a user orders."

            spend_7d = Feature(Sum("value").over("7d", hop="1h"), default=0.0, owner="risk")
            orders_7d = Count().over("7d")

    The view is named like the class, in lower case with underscores, unless
    `name` says otherwise; the first line of its docstring describes it. An
    attribute whose name begins with an underscore is computed, for
    `post_transforms`, but not served. The class is given back unchanged, so
    that `UserOrders.spend_7d` names the feature.

    * `join_keys`: the field of the source that holds a join key, where it has
      another name.
    * `filter`: SQL over the fields; only rows for which it is true count.
    * `transforms`: what is computed of each row, in order: `sql(...)`,
      `call(...)` or functions decorated with `@transform`.
    * `window`: one window that emits; without it aggregates have `.over(...)`,
      or the view serves its latest row.
    * `post_transforms`: steps over the aggregates' values.
    * `ttl`: how old a value may be; for ever if none is given.
    * `on_error`: `null` (default), `default` or `fail`.
    """

    def make(cls: C) -> C:
        if not isinstance(cls, type):
            mistake(place(), f"@feature_view: {kind_of(cls)} is no class; decorate a class")
            return cls
        view = FeatureView(
            name or name_of(cls),
            entities=entities,
            source=source,
            features=members_of(cls, f"feature view {name or name_of(cls)}"),
            version=version,
            join_keys=join_keys,
            filter=filter,
            transforms=transforms,
            window=window,
            post_transforms=post_transforms,
            ttl=ttl,
            on_error=on_error,
            depends_on=depends_on,
            description=first_line(cls) if description is None else description,
            owner=owner,
            tags=tags,
        )
        cls.__unskew_view__ = view  # type: ignore[attr-defined]
        return cls

    return make


def name_of(cls: type) -> str:
    """The name of a class, as columns and views are named."""
    from ..aggregate import snake_case

    return snake_case(cls.__name__)


def members_of(cls: type, what: str) -> "dict[str, Aggregation | Feature]":
    """The aggregates and features in a class's body, in order."""
    members: dict[str, Aggregation | Feature] = {}
    for base in reversed(cls.__mro__[:-1]):
        for name, value in vars(base).items():
            if isinstance(value, Named):
                if base is not cls:
                    # Its own, so that a reference finds the view it is taken from.
                    value = copy.copy(value)
                    value.__set_name__(cls, name)
                    setattr(cls, name, value)
                members[name] = value  # type: ignore[assignment]
            elif not (name.startswith("__") and name.endswith("__")):
                at = getattr(value, "at", None) or place()
                mistake(
                    at,
                    f"{what}: {name} is {kind_of(value)}; the attributes of the class are "
                    "aggregates, such as Sum('amount').over('7d'), and Feature(...); steps and "
                    "settings are arguments of its decorator",
                )
    return members
